"""Question 2: the distillers at rising kappa, k = 2 and 4. The cell is chosen on the search split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from experiments.questions.choose import Standing, best
from experiments.questions.config import Config
from experiments.questions.lab import Lab, Measured
from experiments.questions.markdown import SAMPLE_NOTE, accuracy, number, points, table
from experiments.questions.plots import Chart, Dot, Panel, Series
from experiments.questions.report import Answer
from experiments.questions.strategies import Cell, Job, cells


def jobs(config: Config) -> list[Job]:
    """Every cell on both splits."""
    spec = config.distillers
    grid = cells(config, spec)
    searched = [Job(spec.set, "search", spec.search, cell.workflow, cell.row) for cell in grid]
    return [*searched, *(replace(job, side="report", count=spec.report) for job in searched)]


def ask(lab: Lab) -> Answer:
    """Measure and tell."""
    grid = cells(lab.config, lab.config.distillers)
    wanted = jobs(lab.config)
    searched = lab.measure("distillers search", wanted[: len(grid)])
    reported = lab.measure("distillers report", wanted[len(grid) :])
    metrics = {f"{m.name}_accuracy": m.evaluation.accuracy for m in reported}
    text = section(lab.config, grid, searched, reported)
    return Answer("distillers", text, (chart(lab.config, grid, reported),), metrics)


def section(config: Config, grid: Sequence[Cell], searched: Sequence[Measured], reported: Sequence[Measured]) -> str:
    """The tables."""
    spec = config.distillers
    standings = [_standing(m) for m in searched]
    found = {(c.row, c.kappa): m for c, m in zip(grid, reported, strict=True)}
    rows = list(dict.fromkeys(c.row for c in grid))
    kappa_of = {c.workflow.name: c.kappa for c in grid}
    chosen = {row: best(s for s in standings if s.family == row).name for row in rows}
    winner = best(standings).name
    body = [[row, *(_cell(found.get((row, kappa)), chosen[row], winner) for kappa in spec.kappa)] for row in rows]
    by_name = {m.name: m for m in reported}
    highest = max(reported, key=lambda m: m.evaluation.accuracy)
    widths = ",".join(map(str, spec.widths))
    counted = len(reported[0].evaluation.shares)
    return "\n\n".join(
        [
            f"**{spec.set}** ({config.sets[spec.set].data}), g = [{widths}], {counted} problems of the report split, "
            "accuracy in %; `-`: kappa has no room for k drafts",
            table(["distiller", *(f"kappa {kappa}" for kappa in spec.kappa)], body),
            f"\\* the row's best on the search split ({len(searched[0].evaluation.shares)} problems), **bold** the "
            f"best of all there: {winner}, {accuracy(by_name[winner].evaluation)} on the report split. The highest "
            f"cell of this table is {highest.name} with {accuracy(highest.evaluation)}; to report that one would be "
            "to choose on the problems that are reported, as the paper's plots do (for each benchmark the maximum "
            f"over the distillers, without a split). {SAMPLE_NOTE}",
            "Each distiller at the kappa chosen for it",
            _second(rows, chosen, kappa_of, by_name, config),
        ]
    )


def _cell(m: Measured | None, chosen: str, winner: str) -> str:
    if m is None:
        return "-"
    text = accuracy(m.evaluation)
    if m.name == winner:
        return f"**{text}** \\*"
    return f"{text} \\*" if m.name == chosen else text


def _second(
    rows: Sequence[str],
    chosen: Mapping[str, str],
    kappa_of: Mapping[str, int],
    by_name: Mapping[str, Measured],
    config: Config,
) -> str:
    body = []
    for row in rows:
        m = by_name[chosen[row]]
        # With several levels the summary of the same level is the one to compare with.
        level = row.partition(", ")[2]
        reference = f"global summary, {level}" if level else "global summary"
        rival = by_name[chosen[reference]]
        e = m.evaluation
        difference = "-" if m is rival else points(e.compared_with(rival.evaluation))
        meters = ("seq_generated", "b_seq", "nominal_seq", "b_total", "nominal_total")
        numbers = [number(e.mean(meter)) for meter in meters]
        body.append(
            [row, str(kappa_of[m.name]), accuracy(e), difference, *numbers, f"{e.mean('calls'):.1f}",
             str(e.failures.total())]
        )  # fmt: skip
    columns = ["distiller", "kappa", "accuracy, %", "against the summary, points", "path", "B_seq", "nominal B_seq",
               "B_total", "nominal B_total", "calls", "failed"]  # fmt: skip
    return table(columns, body)


def chart(config: Config, grid: Sequence[Cell], reported: Sequence[Measured]) -> Chart:
    """Accuracy against kappa."""
    series: dict[str, list[Dot]] = {}
    for cell, m in zip(grid, reported, strict=True):
        e = m.evaluation
        low, high = e.interval.low, e.interval.high
        dot = Dot(cell.kappa, 100 * e.accuracy, 100 * low, 100 * high, f"{cell.row}, kappa {cell.kappa}")
        series.setdefault(cell.row, []).append(dot)
    panel = Panel("", "kappa, tokens", tuple(Series(name, tuple(dots)) for name, dots in series.items()), log=True)
    return Chart("distillers", f"{config.distillers.set}: distillers", (panel,))


def _standing(m: Measured) -> Standing:
    return Standing(m.name, m.job.family, m.evaluation.accuracy, {"seq_generated": m.evaluation.mean("seq_generated")})
