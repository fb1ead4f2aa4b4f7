"""Question 4: the frontier before and after training. Two checkpoints, the same problems and seeds, paired."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from experiments.questions.config import Config
from experiments.questions.lab import Lab, Measured
from experiments.questions.markdown import SAMPLE_NOTE, accuracy, number, points, table
from experiments.questions.plots import Chart, Dot, Panel, Series
from experiments.questions.report import Answer
from experiments.questions.strategies import Job, at_levels
from pdr_dspy.workflow import topology


def jobs(config: Config) -> list[Job]:
    """What is measured with each of the two checkpoints, on the report split: nothing is chosen here."""
    spec = config.training
    return [
        Job(spec.set, "report", spec.problems, workflow, "training")
        for workflow in at_levels(config, spec.set, spec.strategies)
    ]


def ask(
    config: Config, before: Callable[[], AbstractContextManager[Lab]], after: Callable[[], AbstractContextManager[Lab]]
) -> Answer:
    """Measure with one checkpoint, then with the other, and tell.

    Args:
        config: What is measured.
        before, after: Open the labs of the two checkpoints, one after the other.
    """
    sides: list[list[Measured]] = []
    revisions: list[str] = []
    for phase, opened in (("before training", before), ("after training", after)):
        with opened() as lab:
            identity = lab.endpoint.identity
            revisions.append(f"{identity.model} {identity.revision}".strip())
            sides.append(lab.measure(phase, jobs(config)))
    first, second = sides
    metrics = {f"before_{m.name}_accuracy": m.evaluation.accuracy for m in first}
    metrics |= {f"after_{m.name}_accuracy": m.evaluation.accuracy for m in second}
    text = section(config, first, second, revisions)
    return Answer("training", text, (chart(config, first, second),), metrics)


def section(config: Config, before: Sequence[Measured], after: Sequence[Measured], revisions: Sequence[str]) -> str:
    """The table."""
    spec = config.training
    body = []
    for old, new in zip(before, after, strict=True):
        a, b = old.evaluation, new.evaluation
        difference = b.compared_with(a)
        body.append(
            [old.name, topology(old.job.workflow), accuracy(a), accuracy(b), points(difference),
             f"{difference.wins}/{difference.losses}",
             *(f"{number(a.mean(m))} / {number(b.mean(m))}" for m in ("seq_generated", "b_seq", "b_total")),
             number(b.mean("nominal_seq")), f"{a.failures.total()} / {b.failures.total()}"]
        )  # fmt: skip
    columns = ["strategy", "shape", "before, %", "after, %", "difference, points", "better/worse",
               "path", "B_seq", "B_total", "nominal B_seq", "failed"]  # fmt: skip
    return "\n\n".join(
        [
            f"**{spec.set}** ({config.sets[spec.set].data}), {len(before[0].evaluation.shares)} problems of the report "
            f"split; before: {revisions[0]}, after: {revisions[1]}",
            table(columns, body),
            f"Two numbers in a cell are before / after. {SAMPLE_NOTE}",
        ]
    )


def chart(config: Config, before: Sequence[Measured], after: Sequence[Measured]) -> Chart:
    """Both frontiers over the path."""
    series = tuple(
        Series(name, tuple(_dot(m) for m in sorted(side, key=lambda m: m.evaluation.mean("seq_generated"))), line=False)
        for name, side in (("before", before), ("after", after))
    )
    panel = Panel("", "tokens generated along the path", series, log=True)
    return Chart("training", f"{config.training.set}: before and after training", (panel,))


def _dot(m: Measured) -> Dot:
    e = m.evaluation
    return Dot(e.mean("seq_generated"), 100 * e.accuracy, 100 * e.interval.low, 100 * e.interval.high, m.name)
