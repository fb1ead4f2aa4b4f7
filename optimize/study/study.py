"""The study: Optuna's storage, what makes it resumable, and what refuses to be resumed.

A study remembers what it was searched for (space, data, budget, model, load, seed). Opened for anything else it says
what changed. Trials that a dead process left running are failed and asked for again; the sampler is seeded anew for
every trial, by the seed and the number of trials so far, so that a resumed search does not repeat its suggestions, and
makes those that it would have made undisturbed (one trial at a time, that is). Knows nothing of calls.

In a database several workers search at once. Then a point belongs to who said first that it has started, and who comes
second puts its trial aside (`optimize.study.claims`).
"""

from __future__ import annotations

import json
import platform
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial

from optimize.objectives.criteria import Objectives
from optimize.objectives.limits import Limits
from optimize.space.sampling import Sampling
from optimize.space.space import Space
from optimize.study.claims import KEY, STARTED, TAKEN, owed, verdict
from optimize.study.database import Database
from optimize.study.fingerprint import FINGERPRINT, agree, check_fingerprint
from optimize.study.heartbeat import Heartbeat
from optimize.study.own_trials import OwnTrials
from optimize.study.stale_trials import OWNER, HasEnded, StaleTrials, superseded
from optimize.study.trials import Suggestion, baseline_of
from optimize.study.workers import Workers
from pdr_dspy.errors import InputError


class Study(OwnTrials):
    """A study of several objectives: accuracy up, every cost down.

    Args:
        storage: Where it is kept.
        name: Its name there.
        space: What to choose from.
        fingerprint: What it is a search for; plain JSON data.
        seed: The search's seed.
        owner: Who leaves trials running (a directory; a worker of several); only one living process may have it.
        limits: What makes a trial infeasible beside its budget.
        objectives: What is weighed.
        ended: Which workers are known to be dead, where several may search.
        sampling: How suggestions are made.

    Attributes:
        workers: The workers of the study, where its storage is a database; None where this process is alone.

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
        ended: HasEnded = lambda _: False,
        sampling: Sampling = Sampling(),  # noqa: B008 (frozen)
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
        check_fingerprint(storage, name, plain)
        self._study = optuna.create_study(
            storage=storage, study_name=name, directions=objectives.directions, load_if_exists=True
        )
        if self._study.metric_names != list(objectives.names):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self._study.set_metric_names(list(objectives.names))
        self._seed = seed
        self._sampling = sampling
        self.workers: Workers | None = None
        if isinstance(storage, RDBStorage):
            self._heartbeat = Heartbeat(storage)
            self.workers = Workers(storage, name, self._owner, ended, self._heartbeat)
            self._stale = StaleTrials(self._study, storage, ended)
            try:
                agree(self.workers, name, plain)
            except InputError:
                self.close()
                raise
        self._study.set_user_attr(FINGERPRINT, plain)
        self.recover()
        if self.workers is not None:
            self._start()

    def hurry(self) -> None:
        """Wait no longer for a database that is away."""
        if isinstance(self._storage, Database):
            self._storage.leave()

    def close(self) -> None:
        """Leave the other workers, if there may be any. What is still running is lost."""
        if self.workers is not None:
            self.hurry()
            self._heartbeat.stop()
            with suppress(StorageInternalError):  # a storage that is away sees no sign of life any more, which will do
                self.workers.close()

    def ask(self) -> Suggestion:
        """A new trial (what is enqueued first).

        Raises:
            TrialTaken: others have taken it for lost.
        """
        self._study.sampler = self._sampler()
        if self.workers is None:
            self._start()
        while True:
            trial = self._study.ask()
            if self.workers is not None:
                self._heartbeat.begin(trial._trial_id)
            trial.set_user_attr(OWNER, self._owner)
            if self.workers is None or not superseded(trial.number, trial.user_attrs, self.trials):
                break
            self._close(trial, interrupted=False)
        with self._mine(trial):
            candidate = self.space.suggest(trial)
            trial.set_user_attr(KEY, candidate.key)
        same = next((t for t in self.complete if t.user_attrs.get(KEY) == candidate.key), None)
        return Suggestion(trial, candidate, baseline_of(trial), same)

    def take(self, suggestion: Suggestion, trials: int) -> bool:
        """Say that a trial starts now; False where another worker has its point or the last place.

        Args:
            suggestion: What `in_flight` knew nothing of. It is put aside where this returns False.
            trials: How many complete trials the study shall have.

        Raises:
            TrialTaken: others have taken it for lost.
        """
        if self.workers is None:
            return True
        with self._mine(suggestion.trial):
            suggestion.trial.set_user_attr(STARTED, True)
            seen = verdict(suggestion.number, suggestion.trial.user_attrs, self.trials, trials)
            if seen == "take":
                suggestion.trial.set_user_attr(TAKEN, True)
            else:
                self._close(suggestion.trial, interrupted=seen == "later")
        return seen == "take"

    def make_way(self, suggestion: Suggestion, equal: Sequence[FrozenTrial]) -> None:
        """Close a trial whose point is in flight (see `in_flight`); it is asked again if the others may yet go back."""
        again = self.workers is not None and owed(suggestion.trial.user_attrs, equal)
        self.drop(suggestion, interrupted=again)
