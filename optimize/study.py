"""The study: Optuna's storage, what makes it resumable, and what refuses to be resumed.

A study remembers what it was searched for (space, data, budget, model, load, seed). Opened for anything else it says
what changed. Trials that a dead process left running are failed and asked for again; the sampler is seeded anew for
every trial, by the seed and the number of trials so far, so that a resumed search does not repeat its suggestions, and
makes those that it would have made undisturbed (one trial at a time, that is). Knows nothing of calls.
"""

from __future__ import annotations

import hashlib
import json
import platform
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from optimize.criteria import Objectives
from optimize.front import Point
from optimize.journal import JournalFile
from optimize.limits import Limits
from optimize.racing import Scores
from optimize.shapes import Params
from optimize.space import BASELINES, Candidate, Space
from optimize.state import JOURNAL
from pdr_dspy.errors import InputError

FINGERPRINT = "fingerprint"
OWNER = "owner"
KEY = "key"
START = "start"
METRICS = "metrics"
SCORES = "scores"
WORKFLOW = "workflow"
DUPLICATE_OF = "duplicate_of"
INTERRUPTED = "interrupted"
RETRY_OF = "retry_of"
TRACKED = "mlflow_run"

STARTUP = 8
"""Trials drawn at random before the sampler has something to learn from."""


def open_storage(url: str | None, directory: Path) -> BaseStorage:
    """The storage of a study: a journal file in its directory, or whatever the URL names.

    Args:
        url: `sqlite:///x.db`, `postgresql://...`, a path of a journal file, or None.
        directory: The study's directory.

    Raises:
        InputError: a storage that can't be opened (the URL is not repeated: it may hold a password).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url is not None and "://" in url:
        try:
            return optuna.storages.RDBStorage(url)
        except Exception as error:
            raise InputError(
                "storage",
                f"it can't be opened ({type(error).__name__})",
                "Write it like sqlite:///search.db, or leave --storage out for a file",
            ) from error
    path = directory / JOURNAL if url is None else Path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFile(path))
    except OSError as error:
        raise InputError(
            "storage", f"{path} can't be opened ({error.strerror})", "Name a file that can be written"
        ) from error
    except (KeyError, TypeError, ValueError, AssertionError) as error:  # lines that make no sense one after another
        raise InputError(
            "storage", f"{path} is damaged ({type(error).__name__}: {error})", "Move it away; completions stay stored"
        ) from error


def changes(stored: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two fingerprints, in words, one entry a field."""
    found = []
    for name in dict.fromkeys((*stored, *now)):
        old, new = stored.get(name), now.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += [f"{name}.{inner}" for inner in changes(old, new)]
        else:
            found.append(f"{name} was {_short(old)}, now {_short(new)}")
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= 60 else f"{text[:57]}..."


def sampler_seed(seed: int, stored: int) -> int:
    """A seed that differs for every number of stored trials."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stored}".encode()).digest()[:4], "big")


@dataclass(frozen=True)
class Suggestion:
    """A running trial and the candidate it stands for. `copy_of` is an equal trial that is already complete."""

    trial: Trial
    candidate: Candidate
    baseline: str | None
    copy_of: FrozenTrial | None = None

    @property
    def number(self) -> int:
        """The trial's number."""
        return int(self.trial.number)


class Study:
    """A study of several objectives: accuracy up, every cost down.

    Args:
        storage: Where it is kept.
        name: Its name there.
        space: What to choose from.
        fingerprint: What it is a search for; plain JSON data.
        seed: The search's seed.
        owner: Who leaves trials running (host and directory); only one living process may have this owner.
        limits: What makes a trial infeasible beside its budget.
        objectives: What is weighed.

    Raises:
        InputError: a study of this name was a search for something else.
    """

    def __init__(
        self,
        storage: BaseStorage,
        name: str,
        space: Space,
        fingerprint: Mapping[str, Any],
        *,
        seed: int,
        owner: str,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
        objectives: Objectives = Objectives(),  # noqa: B008 (frozen)
    ) -> None:
        self.name = name
        self.space = space
        self.limits = limits
        self.objectives = objectives
        self._storage = storage
        self._owner = f"{platform.node()}:{owner}"
        # The directions are checked by hand: Optuna resumes a study with other directions without a word.
        weighed = {"objectives": list(objectives.names), "directions": objectives.directions}
        plain = json.loads(json.dumps({**fingerprint, **weighed}))
        _check_fingerprint(storage, name, plain)
        self._study = optuna.create_study(
            storage=storage, study_name=name, directions=objectives.directions, load_if_exists=True
        )
        if self._study.metric_names != list(objectives.names):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self._study.set_metric_names(list(objectives.names))
        self._study.set_user_attr(FINGERPRINT, plain)
        self._seed = seed
        self._recover()

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials, in order of their numbers."""
        return self._study.get_trials(deepcopy=False)

    @property
    def complete(self) -> list[FrozenTrial]:
        """Trials that were evaluated to the end (copies of others left out)."""
        return [t for t in self.trials if t.state == TrialState.COMPLETE and DUPLICATE_OF not in t.user_attrs]

    @property
    def lost(self) -> list[int]:
        """Numbers of trials that ended with their process; each was, or will be, asked for again as another."""
        return [t.number for t in self.trials if t.state == TrialState.FAIL and t.user_attrs.get(INTERRUPTED)]

    @property
    def feasible(self) -> list[FrozenTrial]:
        """Those of `complete` that have seen every problem and kept to the budget and the limits."""
        return [t for t in self.complete if all(v <= 0 for v in t.constraints.values())]

    @property
    def beyond(self) -> list[FrozenTrial]:
        """Those of `complete` that only a limit keeps off the front."""
        own = ("budget", "racing")
        kept = [t for t in self.complete if all(t.constraints.get(name, 0.0) <= 0 for name in own)]
        return [t for t in kept if any(v > 0 for v in t.constraints.values())]

    @property
    def rivals(self) -> dict[int, Scores]:
        """What the trials did that have seen every problem and kept to the budget, problem by problem, by number."""
        kept = {t.number: t.user_attrs.get(SCORES) for t in (*self.feasible, *self.beyond)}
        costs = self.objectives.costs
        return {n: Scores(tuple(s["accuracy"]), tuple(tuple(s[c]) for c in costs)) for n, s in kept.items() if s}

    @staticmethod
    def point(trial: FrozenTrial) -> Point:
        """What was measured of a complete trial."""
        return Point(*trial.values)

    def note(self, name: str, value: Any) -> None:
        """Keep something with the study."""
        self._study.set_user_attr(name, value)

    def noted(self, name: str) -> Any:
        """What was kept with the study, or None."""
        return self._study.user_attrs.get(name)

    def ask(self) -> Suggestion:
        """A new trial (what is enqueued first)."""
        self._study.sampler = optuna.samplers.TPESampler(
            seed=sampler_seed(self._seed, self._asked()), multivariate=True, n_startup_trials=STARTUP
        )
        self._start()
        trial = self._study.ask()
        trial.set_user_attr(OWNER, self._owner)
        candidate = self.space.suggest(trial)
        trial.set_user_attr(KEY, candidate.key)
        same = next((t for t in self.complete if t.user_attrs.get(KEY) == candidate.key), None)
        return Suggestion(trial, candidate, baseline_of(trial), same)

    def in_flight(self, suggestion: Suggestion) -> bool:
        """Whether an equal trial is being evaluated right now."""
        return any(
            t.state == TrialState.RUNNING
            and t.number != suggestion.number
            and t.user_attrs.get(KEY) == suggestion.candidate.key
            for t in self.trials
        )

    def tell(
        self,
        suggestion: Suggestion,
        point: Point,
        *,
        overrun: float,
        attrs: Mapping[str, Any],
        scores: Scores | None = None,
        given_up: bool = False,
    ) -> None:
        """Close a trial with its values.

        Args:
            suggestion: What was evaluated.
            point: What came of it.
            overrun: Tokens beyond the budget; above 0 the trial is infeasible.
            attrs: What to keep with it; plain JSON data.
            scores: What it did problem by problem; later trials are raced against it.
            given_up: It has not seen every problem; such a trial is infeasible, so that no front has it.
        """
        suggestion.trial.set_constraint("budget", overrun)
        suggestion.trial.set_constraint("racing", float(given_up))
        for name, beyond in self.limits.violations(point).items():
            suggestion.trial.set_constraint(name, beyond)
        if scores is not None and not given_up:
            by_problem = (scores.accuracy, *scores.costs)
            plain = {name: list(values) for name, values in zip(self.objectives.names, by_problem, strict=True)}
            suggestion.trial.set_user_attr(SCORES, plain)
        for name, value in attrs.items():
            suggestion.trial.set_user_attr(name, value)
        self._study.tell(suggestion.trial, list(point))

    def tell_copy(self, suggestion: Suggestion, original: FrozenTrial) -> None:
        """Close a trial with the values of an equal one."""
        suggestion.trial.set_user_attr(DUPLICATE_OF, original.number)
        for name, beyond in original.constraints.items():
            suggestion.trial.set_constraint(name, beyond)
        self._study.tell(suggestion.trial, list(original.values))

    def drop(self, suggestion: Suggestion, *, interrupted: bool) -> None:
        """Close a trial without values. An interrupted one is asked for again when the study is next opened."""
        suggestion.trial.set_user_attr(INTERRUPTED, interrupted)
        self._study.tell(suggestion.trial, state=TrialState.FAIL)

    def _asked(self) -> int:
        """How many trials were asked for and not lost: what a search that nobody interrupts has asked for by now."""
        return len(self.trials) - len(self.lost) - sum(t.state == TrialState.WAITING for t in self.trials)

    def _recover(self) -> None:
        """Fail what a dead process left running, and enqueue it."""
        for trial in self.trials:
            # Without an owner it was killed between two lines of `ask`.
            if trial.state == TrialState.RUNNING and trial.user_attrs.get(OWNER, self._owner) == self._owner:
                self._storage.set_trial_user_attr(trial._trial_id, INTERRUPTED, True)
                self._study.tell(trial.number, state=TrialState.FAIL)
        retried = {t.user_attrs.get(RETRY_OF) for t in self.trials}
        for trial in self.trials:
            lost = trial.state == TrialState.FAIL and trial.user_attrs.get(INTERRUPTED)
            # Killed in the middle of `ask` it has some of them only, and nothing was measured.
            own = trial.params if KEY in trial.user_attrs else trial.system_attrs.get("fixed_params", {})
            params = cast(Params, own)
            if lost and params and trial.number not in retried:
                self._enqueue(params, trial.user_attrs.get(START), retry_of=trial.number)

    def _start(self) -> None:
        """Enqueue what a search starts with, one by one, so that what was lost comes before what is still to come."""
        if any(t.state == TrialState.WAITING for t in self.trials):
            return
        there = {t.user_attrs.get(START) for t in self.trials if t.state != TrialState.FAIL}
        missing = next(((n, c) for n, c in self.space.starters().items() if n not in there), None)
        if missing is not None:
            self._enqueue(missing[1].params, missing[0])

    def _enqueue(self, params: Params, start: str | None, retry_of: int | None = None) -> None:
        attrs = {START: start, RETRY_OF: retry_of}
        self._study.enqueue_trial(dict(params), user_attrs={k: v for k, v in attrs.items() if v is not None})


def baseline_of(trial: Trial | FrozenTrial) -> str | None:
    """The baseline a trial was started as, if any."""
    name = trial.user_attrs.get(START)
    return name if name in BASELINES else None


def _check_fingerprint(storage: BaseStorage, name: str, now: Mapping[str, Any]) -> None:
    study = next((s for s in storage.get_all_studies() if s.study_name == name), None)
    if study is None:
        return
    stored = study.user_attrs.get(FINGERPRINT)
    if stored is None:
        if storage.get_n_trials(study._study_id) == 0:
            return  # killed between making the study and describing it
        raise InputError("study", f"{name!r} was not made by this search", "Give another name with --study")
    # A study made before objectives could be chosen has the usual ones.
    if found := changes({"objectives": list(Objectives().names), **stored}, now):
        raise InputError(
            "study",
            f"{name!r} was a search for something else: " + "; ".join(found),
            "Give the new search another name with --study, or go back to what it was",
        )
