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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point, front
from optimize.objectives.limits import Limits
from optimize.objectives.racing import Scores
from optimize.space.sampling import Sampling, sampler_seed
from optimize.space.shapes import Params
from optimize.space.space import Space
from optimize.study.claims import DUPLICATE_OF, KEY, STARTED, TAKEN, owed, verdict
from optimize.study.database import Database
from optimize.study.fingerprint import FINGERPRINT, agree, check_fingerprint
from optimize.study.heartbeat import Heartbeat
from optimize.study.stale_trials import INTERRUPTED, OWNER, RETRY_OF, START, HasEnded, StaleTrials, lost, superseded
from optimize.study.trials import SCORES, Suggestion, Trials, baseline_of
from optimize.study.workers import Workers
from pdr_dspy.errors import InputError


class TrialTaken(Exception):
    """A trial was failed by others while it was being measured: this worker gave no sign of life for too long."""


class Study(Trials):
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

    def confirm(self, suggestion: Suggestion) -> None:
        """Check that a trial is still this worker's.

        Raises:
            TrialTaken: others have taken it for lost.
        """
        with self._mine(suggestion.trial):
            if self._storage.get_trial(suggestion.trial._trial_id).state != TrialState.RUNNING:
                raise ValueError("no longer running")

    def attach(self, suggestion: Suggestion, name: str, value: Any) -> None:
        """Keep something with a running trial.

        Raises:
            TrialTaken: others have taken it for lost.
        """
        with self._mine(suggestion.trial):
            suggestion.trial.set_user_attr(name, value)

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

        Raises:
            TrialTaken: others have taken it for lost.
        """
        with self._mine(suggestion.trial):
            self._tell(suggestion, point, overrun, attrs, scores, given_up)
        self._let_go(suggestion.trial)

    def _tell(
        self,
        suggestion: Suggestion,
        point: Point,
        overrun: float,
        attrs: Mapping[str, Any],
        scores: Scores | None,
        given_up: bool,
    ) -> None:
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
        """Close a trial with the values of an equal one.

        Raises:
            TrialTaken: others have taken it for lost.
        """
        with self._mine(suggestion.trial):
            suggestion.trial.set_user_attr(DUPLICATE_OF, original.number)
            for name, beyond in original.constraints.items():
                suggestion.trial.set_constraint(name, beyond)
            self._study.tell(suggestion.trial, list(original.values))
        self._let_go(suggestion.trial)

    def drop(self, suggestion: Suggestion, *, interrupted: bool) -> None:
        """Close a trial without values. An interrupted one is asked for again by another worker, or by the next run."""
        with suppress(TrialTaken), self._mine(suggestion.trial):  # taken, it is asked for again as well
            self._close(suggestion.trial, interrupted=interrupted)

    def _sampler(self) -> optuna.samplers.BaseSampler:
        """Alone it is seeded by how many trials were asked for and not lost: as in a search that nobody disturbed."""
        trials = self.trials
        if self.workers is None:
            asked = len(trials) - len(self.lost) - sum(t.state == TrialState.WAITING for t in trials)
            seed = sampler_seed(self._seed, asked)
        else:
            seed = sampler_seed(self._seed, len(trials), self._owner)
        measured = self.feasible
        members = [measured[i].params for i in front([self.point(t) for t in measured])]
        # What went back for good is as new as before.
        kept = (t for t in trials if KEY in t.user_attrs and t.user_attrs.get(INTERRUPTED) is not False)
        tried = {str(t.user_attrs[KEY]): t.params for t in kept}
        return self._sampling.sampler(self.space, members, tried, seed)

    def recover(self) -> None:
        """Fail what a dead process left running, and enqueue it again."""
        if self.workers is not None:
            self.workers.stay()
            self._stale.fail_stale()
        else:
            for trial in self.trials:
                # Without an owner it was killed between two lines of `ask`.
                if trial.state == TrialState.RUNNING and trial.user_attrs.get(OWNER, self._owner) == self._owner:
                    self._storage.set_trial_user_attr(trial._trial_id, INTERRUPTED, True)
                    self._study.tell(trial.number, state=TrialState.FAIL)
        for trial, params in lost(self.trials):
            self._enqueue(params, trial.user_attrs.get(START), retry_of=trial.number)

    def _start(self) -> None:
        """Enqueue what a search starts with: alone one by one, so that what was lost comes before what is to come."""
        if self.workers is None and any(t.state == TrialState.WAITING for t in self.trials):
            return
        there = {t.user_attrs.get(START) for t in self.trials if t.state != TrialState.FAIL}
        missing = [(name, candidate) for name, candidate in self.space.starters().items() if name not in there]
        for name, candidate in missing[: 1 if self.workers is None else None]:
            self._enqueue(candidate.params, name)

    def _close(self, trial: Trial, *, interrupted: bool) -> None:
        trial.set_user_attr(INTERRUPTED, interrupted)
        self._study.tell(trial, state=TrialState.FAIL)
        self._let_go(trial)

    def _let_go(self, trial: Trial) -> None:
        if self.workers is not None:
            self._heartbeat.end(trial._trial_id)

    @contextmanager
    def _mine(self, trial: Trial) -> Iterator[None]:
        """Turn what Optuna says of a finished trial into `TrialTaken`."""
        try:
            yield
        except (UpdateFinishedTrialError, ValueError) as error:
            if self._storage.get_trial(trial._trial_id).state == TrialState.RUNNING:
                raise
            self._let_go(trial)
            raise TrialTaken from error

    def _enqueue(self, params: Params, start: str | None, retry_of: int | None = None) -> None:
        attrs = {START: start, RETRY_OF: retry_of}
        self._study.enqueue_trial(dict(params), user_attrs={k: v for k, v in attrs.items() if v is not None})
