"""How long a user waits: from the command to the first front that says something.

Useful is a front on which a searched workflow stands that dominates a baseline: more accurate and no slower, or faster
and no less accurate, on the same problems.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from optimize.objectives.front import dominates
from optimize.study.claims import DUPLICATE_OF
from optimize.study.state import JOURNAL
from optimize.study.storages import open_storage
from optimize.study.study import Study
from optimize.study.trials import baseline_of
from pdr_dspy.errors import InputError

SEARCH = Path(__file__).resolve().parents[2] / "optimize" / "search.py"


@dataclass(frozen=True)
class Wait:
    """Seconds from the command to a first useful front, and to its report; what was found, and trials till then."""

    seconds: float
    whole: float
    found: str
    trials: int


def first_useful(trials: list[FrozenTrial]) -> tuple[int, str] | None:
    """Index (in order of completion) of the trial that makes the front useful, and what it shows."""
    for i in range(len(trials)):
        known = trials[: i + 1]
        for own in (t for t in known if baseline_of(t) is None):
            for base in (t for t in known if baseline_of(t) is not None):
                a, b = Study.point(own), Study.point(base)
                if a.accuracy > 0 and dominates(a, b):
                    gain = f"{100 * a.accuracy:.0f} % at {a.cost:.2f} s"
                    return i, f"t{own.number} {gain}; {baseline_of(base)} {100 * b.accuracy:.0f} % at {b.cost:.2f} s"
    return None


def wait(arguments: list[str], folder: Path) -> Wait:
    """Run the search as a user would, in a process of its own, and say when it had a useful front.

    Raises:
        InputError: the search failed, or never had one.
    """
    began = time.time()
    command = [sys.executable, str(SEARCH), *arguments, "--runs", str(folder), "--study", "first-front"]
    if (code := subprocess.run(command, check=False).returncode) != 0:
        raise InputError("search", f"it ended with {code}", "Look at what it says above")
    whole = time.time() - began
    storage = open_storage(None, folder / "first-front")
    study = storage.get_all_studies()[0]
    found = storage.get_all_trials(study._study_id, deepcopy=False, states=(TrialState.COMPLETE,))
    ended = [t for t in found if t.datetime_complete and DUPLICATE_OF not in t.user_attrs]
    ended.sort(key=lambda t: t.datetime_complete)  # type: ignore[arg-type, return-value]
    useful = first_useful(ended)
    if useful is None:
        raise InputError("search", f"no trial of {folder / JOURNAL} dominates a baseline", "Give it more --trials")
    at, what = useful
    done = ended[at].datetime_complete
    assert done is not None
    return Wait(done.timestamp() - began, whole, what, at + 1)
