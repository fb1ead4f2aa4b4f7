"""A study as it stands in its storage, read by someone who does not search. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from optimize.objectives.criteria import Objectives
from optimize.objectives.stored import StoredMeasurement, StoredScores, checked, report_of
from optimize.reporting.pages import Page
from optimize.study.claims import evaluated
from optimize.study.fingerprint import FINGERPRINT, described
from optimize.study.state import JOURNAL, study_name
from optimize.study.storages import present_storage
from optimize.study.trials import METRICS, SCORES, WORKFLOW
from pdr_dspy.endpoint import FileAllowance
from pdr_dspy.errors import InputError


def read_page(name: str, runs: Path, storage: str | None) -> Page:
    """What is known of a study.

    Args:
        name: The study's.
        runs: Where state is kept.
        storage: Its Optuna storage, where that is not the journal in its directory.

    Raises:
        InputError: there is no such study, it is no name of one, or nothing was measured yet.
    """
    directory = runs / study_name(name)
    if storage is None and not (directory / JOURNAL).exists():
        there = sorted(path.parent.name for path in runs.glob(f"*/{JOURNAL}"))
        mend = f"There are: {', '.join(there)}" if there else "Give --runs, or --storage if the search had one"
        raise InputError("study", f"there is no {name!r} in {runs}", mend)
    opened = present_storage(storage, directory)
    if opened is None:
        raise InputError("storage", "nothing is there", "Give the --storage that the search was given")
    study = next((s for s in opened.get_all_studies() if s.study_name == name), None)
    if study is None or FINGERPRINT not in study.user_attrs:
        raise InputError("study", f"the storage has no search named {name!r}", "Give the name that the search says")
    trials = opened.get_all_trials(study._study_id, deepcopy=False, states=(TrialState.COMPLETE,))
    told = described(study.user_attrs, name)
    objectives = len(told.get("objectives", Objectives().names))
    own = [_checked(trial, objectives) for trial in evaluated(trials)]
    if not own:
        raise InputError("study", f"no trial of {name!r} is complete yet", "Come back when the search has measured one")
    front = directory / "front.json"
    spend = directory / "spend"
    return Page(
        name,
        told,
        own,
        FileAllowance(spend).spent if spend.exists() else None,
        _report(front) if front.exists() else None,
    )


def _report(front: Path) -> Mapping[str, Any]:
    mend = "Start the search's command again (it writes it anew, without a token), or remove the file"
    try:
        return report_of(json.loads(front.read_text(encoding="utf-8")))
    except (ValueError, RecursionError, OSError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:300]
        raise InputError("front.json", f"{front} can't be read: the file was damaged ({why})", mend) from None


def _checked(trial: FrozenTrial, objectives: int) -> FrozenTrial:
    """A trial whose measurement can be read, with a value for each objective.

    Raises:
        InputError: it can't be; names the trial and the field.
    """
    kept = trial.user_attrs
    try:
        if len(trial.values or ()) != objectives:
            raise ValueError(f"values: {len(trial.values or ())} for {objectives} objectives")
        if not all(isinstance(value, int | float) for value in trial.constraints.values()):
            raise ValueError("constraints: one is no number")
        if METRICS in kept:
            checked(StoredMeasurement, kept[METRICS])
        if SCORES in kept:
            checked(StoredScores, kept[SCORES])
        if not isinstance(kept.get(WORKFLOW, ""), str):
            raise ValueError(f"{WORKFLOW}: it is no text")
    except (ValueError, TypeError, AttributeError) as error:
        problem = f"what the storage keeps of trial {trial.number} can't be read ({error})"
        raise InputError("study", problem, "Restore the storage: it was edited by hand, or damaged") from None
    return trial
