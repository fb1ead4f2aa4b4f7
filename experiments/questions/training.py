"""Question 4: the frontier before and after training. Checkpoints on the same problems and seeds, paired.

All are compared with the first one. Within each, strategies are compared with rivals of as many tokens or the next
more; which rivals those are, their tokens alone decide: nothing is chosen by what was right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from experiments.questions.choose import matched, members
from experiments.questions.config import Config
from experiments.questions.frontier import NAMES, standing
from experiments.questions.lab import Lab, Measured
from experiments.questions.markdown import SAMPLE_NOTE, accuracy, number, points, table
from experiments.questions.parts import TrainingSet
from experiments.questions.plots import Chart, Dot, Panel, Series
from experiments.questions.report import Answer
from experiments.questions.strategies import Job, at_levels
from pdr_dspy.workflow import topology

_METERS = ("seq_generated", "b_seq", "nominal_seq", "b_total")
_FIRST, _LAST = "black", "magenta"  # in neither palette of the plots


@dataclass(frozen=True)
class Tested:
    """A checkpoint with its results, in the order of its jobs; `identity` is what its server calls it."""

    name: str
    identity: str
    measured: Sequence[Measured]

    def on(self, part: TrainingSet) -> list[Measured]:
        """The results on one problem set."""
        return [m for m in self.measured if m.job.set == part.set]


def jobs(config: Config, checkpoint: str = "") -> list[Job]:
    """What is measured with each checkpoint, on the report split: nothing is chosen here."""
    return [
        Job(part.set, "report", max(part.problems, part.claims_on), workflow, "training", checkpoint=checkpoint)
        for part in config.training.sets
        for workflow in at_levels(config, part.set, part.strategies)
    ]


def ask(config: Config, labs: Mapping[str, Callable[[], AbstractContextManager[Lab]]]) -> Answer:
    """Measure with one checkpoint after the other, and tell.

    Args:
        config: What is measured.
        labs: Each opens the lab of the checkpoint of this name; the others are compared with the first.
    """
    tested: list[Tested] = []
    for name, opened in labs.items():
        with opened() as lab:
            identity = f"{lab.endpoint.identity.model} {lab.endpoint.identity.revision}".strip()
            tested.append(Tested(name, identity, lab.measure(name, jobs(config, name))))
    metrics = {f"{t.name}_{m.job.set}_{m.name}_accuracy": m.evaluation.accuracy for t in tested for m in t.measured}
    return Answer("training", text(config, tested), (chart(config, tested),), metrics)


def text(config: Config, tested: Sequence[Tested]) -> str:
    """The tables of every set."""
    who = "\n".join(f"- {t.name}: {t.identity}" for t in tested)
    note = (
        "`path`: generated along the accepted path; B_seq and B_total: in + out along it, and of every call; "
        f"nominal: calls x thinking cap. Means of a problem. {SAMPLE_NOTE}"
    )
    same = [t.name for t in tested if sum(t.identity == other.identity for other in tested) > 1]
    warning = [f"By what their servers say, these are one model: {', '.join(same)}."] if same else []
    return "\n\n".join([who, *warning, *(section(config, part, tested) for part in config.training.sets), note])


def section(config: Config, part: TrainingSet, tested: Sequence[Tested]) -> str:
    """The tables of one set: checkpoints against the first, and strategies against each other within each."""
    first = tested[0].on(part)
    head = (
        f"**{part.set}** ({config.sets[part.set].data}), {len(first[0].evaluation.shares)} problems of the report split"
    )
    body = [
        _row(t.name, m, None if t is tested[0] else old)
        for t in tested
        for old, m in zip(first, t.on(part), strict=True)
    ]
    columns = ["checkpoint", "strategy", "shape", "accuracy, %", f"against {tested[0].name}, points", "better/worse",
               *(NAMES[meter] for meter in _METERS), "failed"]  # fmt: skip
    parts = [head, table(columns, body)]
    if part.compared:
        parts += [
            f"{part.set}, within each checkpoint: a strategy minus the rival of as many tokens or the next more (the "
            "largest where all have fewer), paired by problem",
            _compared(part, tested),
        ]
    return "\n\n".join(parts)


def _row(name: str, m: Measured, old: Measured | None) -> list[str]:
    e = m.evaluation
    difference = None if old is None else e.compared_with(old.evaluation)
    return [
        name, m.name, topology(m.job.workflow), accuracy(e), points(difference) if difference else "-",
        f"{difference.wins}/{difference.losses}" if difference else "-",
        *(number(e.mean(meter)) for meter in _METERS), str(e.failures.total()),
    ]  # fmt: skip


def _compared(part: TrainingSet, tested: Sequence[Tested]) -> str:
    body = []
    for t in tested:
        results = {m.name: m.evaluation for m in t.on(part)}
        standings = [standing(m) for m in t.on(part)]
        for pair in part.compared:
            rivals = [s for name in pair.against for s in members(name, standings)]
            for ours in members(pair.strategy, standings):
                rival = matched(ours.meters[pair.meter], rivals, pair.meter)
                a, b = results[ours.name], results[rival.name]
                tokens = f"{NAMES[pair.meter]} {number(a.mean(pair.meter))} against {number(b.mean(pair.meter))}"
                difference = points(a.compared_with(b))
                body.append([t.name, ours.name, accuracy(a), rival.name, accuracy(b), difference, tokens])
    return table(["checkpoint", "strategy", "%", "rival", "%", "difference, points", "tokens"], body)


def chart(config: Config, tested: Sequence[Tested]) -> Chart:
    """Accuracy over the path: a panel a set, a colour a checkpoint (first and last stand out), a marker a strategy."""
    colours = {tested[0].name: _FIRST, tested[-1].name: _LAST}
    panels = []
    for part in config.training.sets:
        series = []
        for t in tested:
            colour = colours.get(t.name)
            dots = tuple(map(_dot, t.on(part)))
            series.append(Series(t.name, dots, line=False, colour=colour, strong=colour is not None))
        panels.append(Panel(part.set, "tokens generated along the path", tuple(series)))
    return Chart("training", "Checkpoints: accuracy against tokens", tuple(panels))


def _dot(m: Measured) -> Dot:
    e = m.evaluation
    return Dot(e.mean("seq_generated"), 100 * e.accuracy, 100 * e.interval.low, 100 * e.interval.high, m.name, m.name)
