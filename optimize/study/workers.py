"""The workers of one study: who is there, and who of them reports.

Kept where their facts are: a trial a worker and a trial a report, with signs of life like any trial. The storage
numbers trials in one order for everybody: that is what decides wherever two workers want the same thing at the same
instant; no clock is asked but the storage's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from optimize.study.facts import Facts
from optimize.study.heartbeat import Heartbeat
from optimize.study.stale_trials import OWNER, HasEnded, StaleTrials, fail

ROLE = "role"
PLACE = "place"
TRIALS = "trials"


@dataclass(frozen=True)
class Turn:
    """Whose turn to report it is.

    Attributes:
        whose: `mine`, `theirs` (they still search, or report right now), or `done` (it was reported meanwhile).
        who: The others, in words.
    """

    whose: Literal["mine", "theirs", "done"]
    who: str = ""


class Workers(Facts):
    """One worker's view of all of them; it has joined when this returns.

    Args:
        storage: Where the study is.
        name: The study's name.
        owner: This worker's name, which no other has.
        ended: Who is known to be dead.
        heartbeat: Gives signs of life.
    """

    def __init__(self, storage: RDBStorage, name: str, owner: str, ended: HasEnded, heartbeat: Heartbeat) -> None:
        super().__init__(storage, name)
        self.owner = owner
        self._storage = storage
        self._heartbeat = heartbeat
        self._stale = StaleTrials(self._study, storage, ended)
        self._report: Trial | None = None
        self._known = {t.number for t in self._all("report", TrialState.COMPLETE)}
        self._me: Trial | None = self._begin("worker")

    @property
    def others(self) -> list[str]:
        """Names of the other workers that are there."""
        self._stale.fail_stale()
        mine = None if self._me is None else self._me.number
        there = [t for t in self._all("worker", TrialState.RUNNING) if t.number != mine]
        return [t.user_attrs[OWNER] for t in there]

    def stay(self) -> None:
        """Look who is there, and be there again, where others took this worker for dead (it was stopped, or asleep).

        To be called again and again: who is dead is known from looking, not from a time that anybody wrote down.
        """
        self._stale.fail_stale()
        if self._me is not None and self._heartbeat.taken(self._me._trial_id):
            self._me = self._begin("worker")

    def leave(self) -> None:
        """Be there no longer."""
        if self._me is not None:
            self._end(self._me)
            self._me = None

    def turn(self, complete: Callable[[], int]) -> Turn:
        """Ask for the turn to report, after having left.

        Two that ask at once both see each other, and the first in the storage's order has it. A report that is not
        seen running once the turn was asked for has either ended, and is seen then, or begins later and sees this.

        Args:
            complete: How many complete trials there are to report on; asked when nobody searches any more.
        """
        if others := self.others:
            return Turn("theirs", f"{', '.join(others)} still at it")
        if reporting := self._reporting():  # who waits asks again and again: that shall leave nothing behind
            return reporting
        trials = complete()
        claim = self._begin("report", trials=trials)
        if reporting := self._reporting(before=claim.number):
            self._end(claim)
            return reporting
        told = [t for t in self._all("report", TrialState.COMPLETE) if t.number not in self._known]
        if here := [t for t in told if t.user_attrs.get(TRIALS) == trials]:
            self._end(claim)
            return Turn("done", here[-1].user_attrs[PLACE])
        self._report = claim
        return Turn("mine")

    def reported(self, place: str) -> None:
        """Say where this worker's report is."""
        if self._report is not None:
            with suppress(UpdateFinishedTrialError):  # no sign of life came through for long: another reports as well
                self._report.set_user_attr(PLACE, place)
                self._storage.set_trial_state_values(self._report._trial_id, TrialState.COMPLETE, [0.0])
            self._heartbeat.end(self._report._trial_id)
            self._report = None

    def close(self) -> None:
        """Leave, and give the turn to report back."""
        self.leave()
        if self._report is not None:
            self._end(self._report)
            self._report = None

    def _begin(self, role: str, **attrs: Any) -> Trial:
        trial = self._study.ask()
        self._heartbeat.begin(trial._trial_id)
        # The owner first: who has none may have died before the first sign of life.
        for name, value in {OWNER: self.owner, ROLE: role, **attrs}.items():
            trial.set_user_attr(name, value)
        return trial

    def _end(self, trial: Trial) -> None:
        self._heartbeat.end(trial._trial_id)
        fail(self._storage, trial._trial_id)

    def _reporting(self, before: float = math.inf) -> Turn | None:
        """The turn of another worker that reports, or asked for it before the trial of this number did."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        earlier = [t for t in running if t.number < before and t.user_attrs.get(ROLE) != "worker"]
        return Turn("theirs", f"{earlier[0].user_attrs.get(OWNER, 'another worker')} reports") if earlier else None

    def _all(self, role: str, state: TrialState) -> list[FrozenTrial]:
        found = self._study.get_trials(deepcopy=False, states=(state,))
        return [t for t in found if t.user_attrs.get(ROLE) == role]
