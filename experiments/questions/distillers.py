"""Question 2: the distillers at rising kappa, k = 2 and 4. The cell is chosen on the search split.

A first table has every cell; a second one puts the distillers in order, each at the k and kappa chosen for it, and the
summary at every kappa, on more problems (`claims_on`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from experiments.questions.choose import Standing, best
from experiments.questions.config import Config
from experiments.questions.lab import Lab, Measured
from experiments.questions.markdown import SAMPLE_NOTE, accuracy, number, points, table
from experiments.questions.plots import Chart, Dot, Panel, Series
from experiments.questions.report import Answer
from experiments.questions.strategies import SUMMARY, Cell, Job, cells


def search_jobs(config: Config, grid: Sequence[Cell]) -> list[Job]:
    """Every cell, to choose from."""
    spec = config.distillers
    return [Job(spec.set, "search", spec.search, cell.workflow, cell.row) for cell in grid]


def report_jobs(config: Config, grid: Sequence[Cell], ordered: Iterable[str]) -> list[Job]:
    """Every cell on the report split, those that are put in order on more problems."""
    spec = config.distillers
    most, named = max(spec.report, spec.claims_on), set(ordered)
    return [
        Job(spec.set, "report", most if cell.workflow.name in named else spec.report, cell.workflow, cell.row)
        for cell in grid
    ]


def jobs(config: Config) -> list[Job]:
    """Everything, for a dry run: the largest kappa stands for the chosen one."""
    grid = cells(config, config.distillers)
    largest = {(cell.kind, cell.level): cell.workflow.name for cell in sorted(grid, key=lambda c: c.kappa)}
    ordered = {*largest.values(), *(c.workflow.name for c in grid if c.kind == SUMMARY)}
    return [*search_jobs(config, grid), *report_jobs(config, grid, ordered)]


def ask(lab: Lab) -> Answer:
    """Measure and tell."""
    grid = cells(lab.config, lab.config.distillers)
    searched = lab.measure("distillers search", search_jobs(lab.config, grid))
    reported = lab.measure("distillers report", report_jobs(lab.config, grid, put_in_order(grid, searched)))
    metrics = {f"{m.name}_accuracy": m.evaluation.accuracy for m in reported}
    text = section(lab.config, grid, searched, reported)
    return Answer("distillers", text, (chart(lab.config, grid, reported),), metrics)


def put_in_order(grid: Sequence[Cell], searched: Sequence[Measured]) -> list[str]:
    """Names of the cells to compare: the search split's best of each distiller at each level, and every summary."""
    kind_of = {c.workflow.name: (c.kind, c.level) for c in grid}
    standings = [_standing(m) for m in searched]
    kinds = list(dict.fromkeys(kind_of.values()))
    chosen = [best(s for s in standings if kind_of[s.name] == kind).name for kind in kinds]
    return list(dict.fromkeys([*chosen, *(c.workflow.name for c in grid if c.kind == SUMMARY)]))


def section(config: Config, grid: Sequence[Cell], searched: Sequence[Measured], reported: Sequence[Measured]) -> str:
    """The tables."""
    spec = config.distillers
    standings = [_standing(m) for m in searched]
    found = {(c.row, c.kappa): m for c, m in zip(grid, reported, strict=True)}
    rows = list(dict.fromkeys(c.row for c in grid))
    chosen = {row: best(s for s in standings if s.family == row).name for row in rows}
    winner = best(standings).name
    body = [[row, *(_cell(found.get((row, kappa)), chosen[row], winner) for kappa in spec.kappa)] for row in rows]
    by_name = {m.name: m for m in reported}
    highest = max(reported, key=lambda m: m.evaluation.accuracy)
    widths = ",".join(map(str, spec.widths))
    ordered = put_in_order(grid, searched)
    fewest = min(len(m.evaluation.shares) for m in reported)
    most = len(by_name[winner].evaluation.shares)
    more = "" if most == fewest else f" ({most} in the cells that are put in order below)"
    return "\n\n".join(
        [
            f"**{spec.set}** ({config.sets[spec.set].data}), g = [{widths}], {fewest} problems of the report "
            f"split{more}, accuracy in %; `-`: kappa has no room for k drafts",
            table(["distiller", *(f"kappa {kappa}" for kappa in spec.kappa)], body),
            f"\\* the row's best on the search split ({len(searched[0].evaluation.shares)} problems), **bold** the "
            f"best of all there: {winner}, {accuracy(by_name[winner].evaluation)} on the report split. The highest "
            f"cell of this table is {highest.name} with {accuracy(highest.evaluation)}; to report that one would be "
            "to choose on the problems that are reported, as the paper's plots do (for each benchmark the maximum "
            f"over the distillers, without a split). {SAMPLE_NOTE}",
            "In order: each distiller at the k and kappa chosen for it on the search split, and the summary at every "
            "kappa; paired differences from the chosen summary",
            _order(grid, ordered, chosen, by_name),
        ]
    )


def _cell(m: Measured | None, chosen: str, winner: str) -> str:
    if m is None:
        return "-"
    text = accuracy(m.evaluation)
    if m.name == winner:
        return f"**{text}** \\*"
    return f"{text} \\*" if m.name == chosen else text


def _order(
    grid: Sequence[Cell], ordered: Sequence[str], chosen: Mapping[str, str], by_name: Mapping[str, Measured]
) -> str:
    cell_of = {c.workflow.name: c for c in grid}
    summaries = {c.level: chosen[c.row] for c in grid if c.kind == SUMMARY}
    body = []
    for m in sorted((by_name[name] for name in ordered), key=lambda m: -m.evaluation.accuracy):
        e, cell = m.evaluation, cell_of[m.name]
        reference = summaries[cell.level]
        difference = "-" if m.name == reference else points(e.compared_with(by_name[reference].evaluation))
        meters = ("seq_generated", "b_seq", "nominal_seq", "b_total", "nominal_total")
        body.append(
            [cell.row, str(cell.kappa), accuracy(e), difference, str(len(e.shares)),
             *(number(e.mean(meter)) for meter in meters), f"{e.mean('calls'):.1f}", str(e.failures.total())]
        )  # fmt: skip
    columns = ["distiller", "kappa", "accuracy, %", "against the summary, points", "problems", "path", "B_seq",
               "nominal B_seq", "B_total", "nominal B_total", "calls", "failed"]  # fmt: skip
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
