"""Question 3: how much the model anchors on its workspace. Ground truth decides what a distiller may read.

Where a round has nothing that may be read, the next one reads an empty workspace; the table says how often.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments.questions.admission import DEFAULT, DRAFTS, LINES
from experiments.questions.config import Config
from experiments.questions.lab import Lab, Measured
from experiments.questions.markdown import SAMPLE_NOTE, accuracy, number, points, table
from experiments.questions.plots import Chart, Dot, Panel, Series
from experiments.questions.report import Answer
from experiments.questions.strategies import Job, at_levels
from pdr_dspy.workflow import topology


def rules(config: Config) -> tuple[str, ...]:
    """The admission rules that are measured."""
    return (DEFAULT, *DRAFTS, *(LINES if config.oracle.lines else ()))


def jobs(config: Config) -> list[Job]:
    """The strategy under every rule, on the report split: nothing is chosen here."""
    spec = config.oracle
    return [
        Job(spec.set, "report", spec.problems, workflow, "oracle", rule)
        for workflow in at_levels(config, spec.set, [spec.strategy])
        for rule in rules(config)
    ]


def ask(lab: Lab) -> Answer:
    """Measure and tell."""
    measured = lab.measure("oracle", jobs(lab.config))
    metrics = {f"{m.name} {m.job.rule} accuracy": m.evaluation.accuracy for m in measured}
    return Answer("oracle", section(lab.config, measured), (chart(lab.config, measured),), metrics)


def section(config: Config, measured: Sequence[Measured]) -> str:
    """The table."""
    spec = config.oracle
    default = {m.name: m for m in measured if m.job.rule == DEFAULT}
    several = len(default) > 1
    body = []
    for m in measured:
        e = m.evaluation
        label = f"{m.job.rule}, {m.name}" if several else m.job.rule
        difference = "-" if m.job.rule == DEFAULT else points(e.compared_with(default[m.name].evaluation))
        body.append(
            [label, accuracy(e), difference, f"{100 * unread(m):.0f} %",
             *(number(e.mean(meter)) for meter in ("seq_generated", "b_seq", "nominal_seq", "b_total")),
             str(e.failures.total())]
        )  # fmt: skip
    columns = ["what the distiller may read", "accuracy, %", "against default, points", "empty workspaces", "path",
               "B_seq", "nominal B_seq", "B_total", "failed"]  # fmt: skip
    shape = topology(measured[0].job.workflow)
    lines = (
        " A short draft is seldom right as a whole, so two more rules work by the line: a draft goes in with its right "
        "(or wrong) lines alone; lines without an answer stay out."
        if spec.lines
        else ""
    )
    return "\n\n".join(
        [
            f"**{spec.set}** ({config.sets[spec.set].data}), {shape}, {len(measured[0].evaluation.shares)} problems of "
            "the report split; nothing was chosen on them",
            table(columns, body),
            "Ground truth decides which drafts the distiller sees; drafts of the first round are the same under every "
            "rule. `empty workspaces`: share of later rounds that read nothing, because no draft was let in (they "
            f"begin anew from the problem).{lines} {SAMPLE_NOTE}",
        ]
    )


def unread(m: Measured) -> float:
    """The share of rounds after a distiller that read an empty workspace (of runs that came to an answer)."""
    distilled = sum(row.extra.get("distilled", 0.0) for row in m.rows)
    return sum(row.extra.get("unread", 0.0) for row in m.rows) / distilled if distilled else 0.0


def chart(config: Config, measured: Sequence[Measured]) -> Chart:
    """Accuracy under each rule."""
    names = list(dict.fromkeys(m.name for m in measured))
    series = tuple(Series(name, tuple(_dot(m) for m in measured if m.name == name), line=False) for name in names)
    return Chart("oracle", f"{config.oracle.set}: oracle workspaces", (Panel("", "let into the workspace", series),))


def _dot(m: Measured) -> Dot:
    e = m.evaluation
    return Dot(m.job.rule, 100 * e.accuracy, 100 * e.interval.low, 100 * e.interval.high, f"{m.name}, {m.job.rule}")
