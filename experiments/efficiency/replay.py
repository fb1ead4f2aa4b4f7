"""Searches over the grid's outcomes: each is the real code, told what was measured, charged for what it asked.

`Ours` is the loop, study and racing of `optimize/`. The rivals are what one writes in an hour with Optuna: its TPE
sampler or its random one, asked and told, every trial on all problems. A point that was asked for before is free for
all of them. Tokens are generated tokens. The front of a search is that of the points it has seen in full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import optuna

from experiments.efficiency.hypervolume import hypervolume
from experiments.efficiency.outcomes import Outcome, evaluation_of
from optimize.engine.loop import Search
from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point
from optimize.objectives.measurement import Measurement, measurement, scores
from optimize.objectives.racing import beaten, rungs
from optimize.space.sampling import Sampling
from optimize.space.space import Candidate, Space
from optimize.study.study import Study
from optimize.study.trials import Suggestion

OBJECTIVES = Objectives("tokens")
"""Accuracy against tokens along the path: the same in every replay, as seconds would not be."""


@dataclass(frozen=True)
class Step:
    """Where a search stood after a trial: tokens generated so far, and its front's share of the grid's hypervolume."""

    tokens: int
    share: float


@dataclass(frozen=True)
class Grid:
    """The grid with what every point did, and the hypervolume of its true front."""

    space: Space
    outcomes: Mapping[str, Sequence[Outcome]]

    @cached_property
    def points(self) -> Mapping[str, Point]:
        """A point's accuracy and mean tokens along the path, over all problems, by its key."""
        return {key: measurement(evaluation_of(found)).point(OBJECTIVES) for key, found in self.outcomes.items()}

    @cached_property
    def worst(self) -> float:
        """Latency of the slowest point; with accuracy 0 the corner that hypervolumes are measured from."""
        return max(point.cost for point in self.points.values())

    @cached_property
    def hypervolume(self) -> float:
        """Of the true front."""
        return hypervolume(self.points.values(), self.worst)

    def tokens(self, *, bank: bool) -> int:
        """What measuring every point generates."""
        till = Till(bank)
        for found in self.outcomes.values():
            till.charge(found)
        return till.spent


@dataclass
class Till:
    """Counts generated tokens; with a bank a call is paid for once."""

    bank: bool
    spent: int = 0
    _paid: set[str] = field(default_factory=set)

    def charge(self, outcomes: Sequence[Outcome]) -> None:
        """Pay for these outcomes."""
        for outcome in outcomes:
            for call, tokens in outcome.calls.items():
                if not self.bank or call not in self._paid:
                    self.spent += tokens
                    self._paid.add(call)


@dataclass
class Run:
    """A search under way over the grid; keeps its steps until the front has the share that is wanted.

    Attributes:
        grid: What is searched.
        till: Who counts.
        wanted: Share of the true front's hypervolume at which the search may end.
    """

    grid: Grid
    till: Till
    wanted: float
    steps: list[Step] = field(default_factory=list)
    _seen: dict[str, Point] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the front has what is wanted."""
        return bool(self.steps) and self.steps[-1].share >= self.wanted

    def full(self, key: str) -> None:
        """A point was measured on all problems (and is paid for)."""
        self._seen[key] = self.grid.points[key]
        self.mark()

    def mark(self) -> None:
        """Write down where the search stands."""
        self.steps.append(
            Step(self.till.spent, hypervolume(self._seen.values(), self.grid.worst) / self.grid.hypervolume)
        )


Method = Callable[[Run, int], None]
"""Searches a grid with a seed until the run is done or nothing new comes."""

PATIENCE = 2
"""Times as many suggestions as there are points, after which a sampler that repeats itself has not got there."""


def plain(sampler: Callable[[int], optuna.samplers.BaseSampler]) -> Method:
    """Optuna asked and told, nothing else."""

    def search(run: Run, seed: int) -> None:
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler(seed))
        known: dict[str, Point] = {}
        for _ in range(PATIENCE * len(run.grid.outcomes)):
            if run.done or len(known) == len(run.grid.outcomes):
                return
            trial = study.ask()
            key = run.grid.space.suggest(trial).key
            if key not in known:
                run.till.charge(run.grid.outcomes[key])
                known[key] = run.grid.points[key]
                run.full(key)
            study.tell(trial, list(known[key]))

    return search


class _Cold(Space):
    """The same space, with nothing to begin with."""

    def starters(self) -> dict[str, Candidate]:
        return {}


@dataclass(frozen=True)
class Ours:
    """The project's own loop, study and racing.

    Attributes:
        racing: Whether trials may be given up.
        warm: Whether it begins with the baselines and plain PDR.
        moves: Share of its suggestions that are one step from its front.
    """

    racing: bool = True
    warm: bool = True
    moves: float = Sampling().moves

    def __call__(self, run: Run, seed: int) -> None:
        """Search."""
        space = run.grid.space if self.warm else _Cold(**vars(run.grid.space))
        study = Study(
            optuna.storages.InMemoryStorage(),
            "replay",
            space,
            {},
            seed=seed,
            owner="replay",
            objectives=OBJECTIVES,
            sampling=Sampling(moves=self.moves),
        )
        stop = asyncio.Event()

        async def measure(suggestion: Suggestion) -> Measurement:
            found = list(run.grid.outcomes[suggestion.candidate.key])
            looks = rungs(len(found)) if self.racing and suggestion.baseline is None else (len(found),)
            before = 0
            for rung in looks:
                run.till.charge(found[before:rung])
                seen, before = evaluation_of(found[:rung]), rung
                if rung < len(found):
                    rivals = study.rivals
                    lost = beaten(scores(seen, OBJECTIVES), rivals, middles=OBJECTIVES.middles, looks=len(looks) - 1)
                    if lost is not None:
                        run.mark()
                        return measurement(seen, str(lost))
            run.full(suggestion.candidate.key)
            if run.done:
                stop.set()
            return measurement(evaluation_of(found))

        async def record(suggestion: Suggestion, measured: Measurement) -> None:
            pass  # nothing to track: what counts is in the run

        trials = len(run.grid.outcomes)
        asyncio.run(Search(study, measure, record, _Nobody(), trials, jobs=1).run(stop))


class _Nobody:
    """Watches no search."""

    def started(self, number: int, title: str) -> None: ...
    def ended(self, number: int, measured: Measurement) -> None: ...
    def repeated(self, number: int, original: int) -> None: ...
    def dropped(self, number: int) -> None: ...


def tpe(seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's TPE as it comes."""
    return optuna.samplers.TPESampler(seed=seed)


def random(seed: int) -> optuna.samplers.BaseSampler:
    """Optuna's random sampler."""
    return optuna.samplers.RandomSampler(seed=seed)


@dataclass(frozen=True)
class Contender:
    """A way to search, and whether its calls are kept in a bank."""

    name: str
    method: Method
    bank: bool


CONTENDERS = (
    Contender("pdr-dspy", Ours(), bank=True),
    Contender("Optuna TPE, plain", plain(tpe), bank=False),
    Contender("random, plain", plain(random), bank=False),
    Contender("pdr-dspy without racing", Ours(racing=False), bank=True),
    Contender("pdr-dspy without warm start", Ours(warm=False), bank=True),
    Contender("pdr-dspy without steps from the front", Ours(moves=0.0), bank=True),
    Contender("pdr-dspy without bank", Ours(), bank=False),
    Contender("Optuna TPE with the bank", plain(tpe), bank=True),
    Contender("random with the bank", plain(random), bank=True),
)


def race(grid: Grid, contender: Contender, seed: int, *, wanted: float) -> list[Step]:
    """One search from its start until its front has `wanted` of the grid's hypervolume."""
    run = Run(grid, Till(contender.bank), wanted)
    contender.method(run, seed)
    return run.steps
