"""The table a search ends with, as text and as Markdown: front members and baselines on problems it never saw. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from optimize.reporting import load_table
from optimize.reporting.load_table import SIGNS
from optimize.reporting.numbers import amount
from optimize.reporting.report import BESIDE, Report, Row
from pdr_dspy.markdown import fenced, plain
from pdr_dspy.secrets.redaction import redacted

_HEAD = (
    "",
    "workflow",
    "accuracy [95 %]",
    "search",
    "p50 s",
    "p95 s",
    "path",
    "total",
    "B_seq",
    "B_total",
    "calls",
    "fresh/old",
    "failed",
)


_HARMLESS = re.compile(r"[\w .,+*^~/%-]*(?: \[[\d.-]+\])?")


def cells(report: Report) -> list[tuple[str, ...]]:
    """The table's cells, a heading first."""
    on_front, unsure = report.fronted(), report.unsure()
    fronts = ["" if i not in on_front else "F~" if i in unsure else "F" for i in range(len(report.rows))]
    head, *rows = [_HEAD, *(_cells(row, mark) for row, mark in zip(report.rows, fronts, strict=True))]
    told = report.told()
    return [
        (*head[:-1], *(BESIDE[name][0] for name in told), head[-1]),
        *(
            (*cells[:-1], *(BESIDE[name][1](row.measured.metrics.get(name, 0.0)) for name in told), cells[-1])
            for row, cells in zip(report.rows, rows, strict=True)
        ),
    ]


def _cells(row: Row, on_front: str) -> tuple[str, ...]:
    m, metrics = row.measured, row.measured.metrics
    mark = "".join(SIGNS[title] for title in row.titles) + on_front + ("b" if row.baseline else "")
    fresh, total = metrics["sum_fresh_generated"], metrics["sum_total_generated"]
    return (
        mark,
        row.name,
        f"{100 * m.accuracy:.1f} [{100 * m.low:.1f}-{100 * m.high:.1f}]",
        f"{100 * row.searched.accuracy:.1f}" if row.searched else "-",
        f"{m.p50:.2f}",
        f"{m.p95:.2f}",
        amount(metrics["mean_seq_generated"]),
        amount(metrics["mean_total_generated"]),
        amount(metrics["mean_b_seq"]),
        amount(metrics["mean_b_total"]),
        f"{metrics['mean_calls']:.1f}",
        f"{amount(fresh)}/{amount(total - fresh)}",
        " ".join(f"{kind} {n}" for kind, n in sorted(m.failures.items())) or "0",
    )


def as_text(report: Report) -> str:
    """The table for a terminal, a pager or a log: no colours, fixed columns, a legend below."""
    rows = cells(report)
    lines = _columns(rows, left=(0, 1, len(rows[0]) - 1))
    names = max(len(row.name) for row in report.rows)
    legend = [f"{row.name.ljust(names)}  {row.title}" for row in report.rows]
    notes = [*filter(None, [_marks(report)]), *_optimism(report), report.caption()]
    if report.levels:
        notes += ["", *_columns(load_table.cells(report), left=(0,)), "", load_table.caption(report)]
    return "\n".join(line.rstrip() for line in [*lines, "", *legend, "", *notes])


def _columns(rows: Sequence[Sequence[str]], left: Collection[int]) -> list[str]:
    """Cells as lines of fixed columns, the first row underlined."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def as_markdown(report: Report) -> str:
    """The same as a Markdown document, with every workflow's YAML."""
    table = _pipes(cells(report))
    notes = (
        line
        for text in (*filter(None, [_marks(report)]), *_optimism(report), report.caption(plain))
        for line in ("", text)
    )
    parts = [f"# {plain(report.study)}", "", *table, *notes]
    if report.levels:
        parts += ["", "## At several loads", "", *_pipes(load_table.cells(report)), "", load_table.caption(report)]
    for row in report.rows:
        parts += ["", f"## {plain(row.name)}", "", plain(row.title), "", fenced(row.workflow.strip(), "yaml")]
    return redacted("\n".join(parts) + "\n")


def _pipes(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *others = rows
    lines = (head, ["---"] * len(head), *(map(_cell, row) for row in others))
    return ["| " + " | ".join(row) + " |" for row in lines]


def _cell(text: str) -> str:
    # Marks (`*+F~`) and intervals (`[40-60]`) are no markup here, and a name with some is rare.
    return text if _HARMLESS.fullmatch(text) else plain(text)


def _marks(report: Report) -> str:
    marks = ["F: on this table's Pareto front"] if report.fronted() else []
    if report.unsure():
        marks.append("F~: its interval overlaps that of a cheaper front member")
    won = {title for row in report.rows for title in row.titles}
    words = {
        "best": "the winner",
        "near": f"the {report.objectives.least} within a point of it",
        "knee": "the front's knee",
    }
    told = [f"{SIGNS[title]}: {words[title]}" for title in SIGNS if title in won]
    if told:
        marks = [*told[:-1], f"{told[-1]} (chosen on the search's problems)", *marks]
    if any(row.baseline for row in report.rows):
        marks.append("b: baseline at the same budget")
    return "; ".join(marks)


def _optimism(report: Report) -> list[str]:
    found = report.optimism()
    if found is None:
        return []
    best, mean, count = found
    return [
        f"The search had overrated the winner by {best:+.1f} points; over its {count} front members by {mean:+.1f} as "
        "a mean."
    ]
