"""The running trials of this process: what is kept with them, and how they are closed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

from optimize.objectives.front import Point
from optimize.objectives.limits import Limits
from optimize.objectives.racing import Scores
from optimize.study.claims import DUPLICATE_OF
from optimize.study.heartbeat import Heartbeat
from optimize.study.queue import Queue
from optimize.study.stale_trials import INTERRUPTED
from optimize.study.trials import SCORES, Suggestion


class TrialTaken(Exception):
    """A trial was failed by others while it was being measured: this worker gave no sign of life for too long."""


class OwnTrials(Queue):
    """The part of a study that closes this process's trials.

    Attributes:
        limits: What makes a trial infeasible beside its budget.
    """

    limits: Limits
    _heartbeat: Heartbeat

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
