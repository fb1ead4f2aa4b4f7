"""What becomes of trials whose worker died: who is dead, what was lost, and that it is asked for once more, once.

Four workers may notice the same loss at the same instant. Whoever sees a lost trial without a successor enqueues one;
numbers are given in one order for everybody, so of several successors the first counts and the others are put aside
when they come up. Nothing depends on one worker getting through to the end of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from optimize.space.shapes import Params
from optimize.study.heartbeat import BEAT, Liveness

KEY = "key"
OWNER = "owner"
START = "start"
INTERRUPTED = "interrupted"
RETRY_OF = "retry_of"

HasEnded = Callable[[str], bool]
"""Whether the worker of this name has surely ended."""


class StaleTrials:
    """Fails the running trials of a study whose worker is dead.

    Dead is who gave no sign of life for as long as this process looked, and whoever is known to be. No clock is asked
    but this process's own, and of that how far it went.

    Args:
        study: The study.
        storage: Where it is.
        ended: Who is known to be dead.
    """

    def __init__(self, study: optuna.Study, storage: RDBStorage, ended: HasEnded) -> None:
        self._study = study
        self._storage = storage
        self._ended = ended
        interval = storage.get_heartbeat_interval() or 0
        self._liveness = Liveness(storage.grace_period or 2 * interval, interval)

    def fail_stale(self) -> None:
        """Look at all running trials."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        silent = self._liveness.silent({t._trial_id: t.user_attrs.get(BEAT) for t in running})
        for trial in running:
            owner = trial.user_attrs.get(OWNER)
            if trial._trial_id in silent or (owner is not None and self._ended(owner)):
                fail(self._storage, trial._trial_id)


def fail(storage: RDBStorage, trial: int) -> None:
    """Fail a running trial, unless somebody was faster."""
    try:
        storage.set_trial_state_values(trial, TrialState.FAIL)
    except UpdateFinishedTrialError:
        return


def lost(trials: Sequence[FrozenTrial]) -> Iterator[tuple[FrozenTrial, Params]]:
    """Trials that failed without anybody having wanted it and have no successor, with what is known of their point."""
    retried = {t.user_attrs.get(RETRY_OF) for t in trials}
    for trial in trials:
        wanted = trial.user_attrs.get(INTERRUPTED) is False
        # Killed in the middle of `ask` it has some of its choices only, and nothing was measured.
        own = trial.params if KEY in trial.user_attrs else trial.system_attrs.get("fixed_params", {})
        params = cast(Params, own)
        if trial.state == TrialState.FAIL and not wanted and params and trial.number not in retried:
            yield trial, params


def queued(attrs: Mapping[str, Any]) -> bool:
    """Whether a trial was put into the queue (and not suggested by the sampler)."""
    return START in attrs or RETRY_OF in attrs


def superseded(number: int, attrs: Mapping[str, Any], trials: Sequence[FrozenTrial]) -> bool:
    """Whether an earlier trial stands for the same thing: the same loss, or the same beginning of the search."""
    earlier = [t for t in trials if t.number < number]
    if RETRY_OF in attrs:
        return any(t.user_attrs.get(RETRY_OF) == attrs[RETRY_OF] for t in earlier)
    if START in attrs:
        same = [t for t in earlier if t.user_attrs.get(START) == attrs[START] and RETRY_OF not in t.user_attrs]
        return any(t.state != TrialState.FAIL for t in same)
    return False
