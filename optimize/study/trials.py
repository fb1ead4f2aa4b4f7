"""What a study's trials say: what is complete, feasible, lost, under way. Reads, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point
from optimize.objectives.racing import Scores
from optimize.space.space import BASELINES, Candidate
from optimize.study.claims import STARTED, evaluated
from optimize.study.stale_trials import INTERRUPTED, KEY, OWNER, START, lost
from optimize.study.workers import Workers

METRICS = "metrics"
SCORES = "scores"
WORKFLOW = "workflow"
TRACKED = "mlflow_run"


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


class Trials:
    """The trials of a study of several objectives: accuracy up, every cost down.

    Attributes:
        objectives: What is weighed.
        workers: The workers of the study, where its storage is a database; None where this process is alone.
    """

    objectives: Objectives
    workers: Workers | None
    _study: optuna.Study
    _owner: str

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials, in order of their numbers."""
        return self._study.get_trials(deepcopy=False)

    @property
    def complete(self) -> list[FrozenTrial]:
        """Trials that were evaluated to the end (copies of others left out)."""
        return evaluated(self.trials)

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

    def in_flight(self, suggestion: Suggestion) -> list[FrozenTrial]:
        """Equal trials that are being evaluated right now, or (where several workers search) are about to be."""
        return [
            t
            for t in self.trials
            if t.state == TrialState.RUNNING
            and t.number != suggestion.number
            and t.user_attrs.get(KEY) == suggestion.candidate.key
            and (self.workers is None or t.user_attrs.get(STARTED))
        ]

    @property
    def taken(self) -> int:
        """Trials that are complete or being evaluated, by whomever (by a single process: complete)."""
        if self.workers is None:
            return len(self.complete)
        trials = self.trials
        return len(evaluated(trials)) + sum(t.state == TrialState.RUNNING for t in trials)

    @property
    def elsewhere(self) -> bool:
        """Whether other workers evaluate trials, or may have to be followed by one that does."""
        if self.workers is None:
            return False
        trials = self.trials
        running = (t for t in trials if t.state == TrialState.RUNNING and t.user_attrs.get(OWNER) != self._owner)
        return any(running) or any(True for _ in lost(trials))

    @property
    def waiting(self) -> bool:
        """Whether something is in the queue."""
        return any(t.state == TrialState.WAITING for t in self.trials)


def baseline_of(trial: Trial | FrozenTrial) -> str | None:
    """The baseline a trial was started as, if any."""
    name = trial.user_attrs.get(START)
    return name if name in BASELINES else None
