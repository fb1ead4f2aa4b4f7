"""What a study asks next: what a search starts with, what was lost, then what the sampler suggests."""

from __future__ import annotations

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from optimize.objectives.front import front
from optimize.space.sampling import Sampling, sampler_seed
from optimize.space.shapes import Params
from optimize.space.space import Space
from optimize.study.stale_trials import INTERRUPTED, KEY, OWNER, RETRY_OF, START, StaleTrials, lost
from optimize.study.trials import Trials


class Queue(Trials):
    """The part of a study that decides what is asked next.

    Attributes:
        space: What to choose from.
    """

    space: Space
    _storage: BaseStorage
    _stale: StaleTrials
    _seed: int
    _sampling: Sampling

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

    def _enqueue(self, params: Params, start: str | None, retry_of: int | None = None) -> None:
        attrs = {START: start, RETRY_OF: retry_of}
        self._study.enqueue_trial(dict(params), user_attrs={k: v for k, v in attrs.items() if v is not None})
