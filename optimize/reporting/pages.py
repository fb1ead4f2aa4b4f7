"""A study as one HTML page that needs no network: what was found, what was tried, what mattered.

Everything comes from the study's own storage (and its directory, for the report on problems the search never saw), so a
page can be made of a search that is still running, or was killed. Knows nothing of endpoints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from optimize.objectives.criteria import COSTS, Objectives
from optimize.objectives.front import Point, front
from optimize.objectives.measurement import Measurement
from optimize.reporting.diagnosis import diagnosis
from optimize.reporting.drawings import drawings, label, metrics
from optimize.reporting.html import document, rows_table, section, shown
from optimize.reporting.numbers import amount, counts, share
from optimize.reporting.problem_failures import problem_failures
from optimize.study.trials import WORKFLOW


@dataclass(frozen=True)
class Page:
    """What goes onto a page.

    Attributes:
        name: The study's.
        fingerprint: What it is a search for.
        trials: Those that were evaluated, copies left out.
        spent: Generated tokens of all its runs, or None where nobody counted.
        report: The `front.json` of a finished search, or None.
    """

    name: str
    fingerprint: Mapping[str, Any]
    trials: Sequence[FrozenTrial]
    spent: int | None = None
    report: Mapping[str, Any] | None = None

    @property
    def objectives(self) -> Objectives:
        """What was weighed (before objectives could be chosen: accuracy and latency)."""
        names = self.fingerprint.get("objectives", Objectives().names)
        costs = tuple(cost for cost in COSTS if cost in names)
        return Objectives("tokens" if self.fingerprint.get("latency") == "tokens" else "seconds", costs)

    @property
    def whole(self) -> list[FrozenTrial]:
        """Trials that have seen every problem and kept to budget and limits."""
        return [t for t in self.trials if all(v <= 0 for v in t.constraints.values())]

    @property
    def members(self) -> list[FrozenTrial]:
        """The search's front, fastest first."""
        whole = self.whole
        return [whole[i] for i in front([Point(*t.values) for t in whole])] if whole else []


def as_page(page: Page) -> str:
    """The HTML."""
    drawn = [section(d.heading.capitalize(), d.note, d.figure) for d in drawings(page.whole, page.objectives)]
    wrong = problem_failures([*_measured(page), *((label(t), metrics(t)) for t in page.trials)])
    return document(
        page.name, [_head(page), _why(page), _reported(page), *drawn, _table(page), wrong, _workflows(page)]
    )


def _why(page: Page) -> str:
    """Why there is no winner, where nothing was right."""
    kept = [*(plain for _, plain in _measured(page)), *(metrics(t) for t in page.trials)]
    formats = page.fingerprint.get("space", {}).get("format", ())
    why = diagnosis([Measurement.from_dict(plain) for plain in kept if plain], formats)
    return f"<p><strong>No winner: {shown(why)}</strong></p>" if why else ""


def _measured(page: Page) -> list[tuple[str, Mapping[str, Any]]]:
    """The report's workflows with what they did there."""
    rows = page.report["rows"] if page.report is not None else ()
    return [(f"in the report, {row['name']}: {row['title']}", row["report"]) for row in rows]


def _head(page: Page) -> str:
    given_up = sum(bool(metrics(t).get("given_up")) for t in page.trials)
    beyond = len(page.trials) - len(page.whole) - given_up
    facts = {
        "trials": f"{len(page.trials)}: {len(page.whole)} whole, {given_up} given up early, {beyond} beyond a limit",
        "generated": "not counted" if page.spent is None else f"{page.spent:,} tokens in all",
        **{
            name: _plain(value)
            for name, value in page.fingerprint.items()
            if name not in ("space", "directions", "proposals")
        },
        "format of the prompts": ", ".join(page.fingerprint.get("space", {}).get("format", ())),
        **_proposals(page.fingerprint.get("space", {}).get("proposals")),
    }
    rows = "".join(f"<tr><td>{shown(k)}</td><td class=text>{shown(v)}</td></tr>" for k, v in facts.items() if v)
    return f"<h1>{shown(page.name)}</h1><table>{rows}</table>"


def _proposals(plain: Mapping[str, Any] | None) -> dict[str, str]:
    if plain is None:
        return {}
    texts = (f"{stage}={name}: {text}" for stage, own in plain["texts"].items() for name, text in own.items())
    return {f"proposed by {plain['proposer']}": "; ".join(texts) or "nothing usable"}


def _reported(page: Page) -> str:
    if page.report is None:
        return "<h2>On problems the search never saw</h2><p>Not measured: the search has not come to its report.</p>"
    head = ("workflow", "", "accuracy [95 %]", "in the search", "p50 s", "p95 s", "path", "total", "B_total", *_BESIDE)
    rows = []
    for row in page.report["rows"]:
        r, s = row["report"], row["search"]
        marks = [*row.get("titles", ()), *(["front"] if row["report_front"] else []), *(["?"] if row["unsure"] else [])]
        cells = (
            f"{row['name']}: {row['title']}",
            ", ".join([*marks, *(["baseline"] if row["baseline"] else [])]),
            f"{100 * r['accuracy']:.1f} [{100 * r['low']:.1f}-{100 * r['high']:.1f}]",
            f"{100 * s['accuracy']:.1f}" if s else "-",
            f"{r['p50']:.2f}",
            f"{r['p95']:.2f}",
            f"{r['metrics']['mean_seq_generated']:.0f}",
            f"{r['metrics']['mean_total_generated']:.0f}",
            f"{r['metrics']['mean_b_total']:.0f}",
            *_beside(r),
        )
        rows.append(cells)
    note = (
        f"{page.report['report_problems']} problems, {page.report['load']} requests in flight. `?`: its interval "
        "overlaps that of a cheaper front member."
    )
    told = f"<h2>On problems the search never saw</h2><p>{shown(note)}</p>" + rows_table(head, rows)
    return told + _at_loads(page.report.get("loads", ()))


def _at_loads(loads: Sequence[Mapping[str, Any]]) -> str:
    if not loads:
        return ""
    head = ("workflow", *(f"p50 s at load {at['load']} ({at['problems']} problems)" for at in loads))
    rows = [
        (row["name"], *(f"{at['rows'][i]['marks']} {at['rows'][i]['p50']:.2f}".strip() for at in loads))
        for i, row in enumerate(loads[0]["rows"])
    ]
    note = (
        "Of these measurements, at each load: F is on the front (F~: its interval overlaps that of a cheaper member), "
        "* the most accurate, + the fastest within a point of it, ^ the knee."
    )
    return f"<h2>At several loads</h2><p>{note}</p>" + rows_table(head, rows, text=(0,))


def _table(page: Page) -> str:
    head = ("trial", *page.objectives.names, "problems", *_BESIDE, "what became of it")
    on_front = {t.number for t in page.members}
    rows = []
    for t in sorted(page.trials, key=lambda t: (-t.values[0], *t.values[1:])):
        kept = metrics(t)
        beyond = [name for name, value in t.constraints.items() if value > 0 and name != "racing"]
        said = kept.get("given_up") or ("beyond " + ", ".join(beyond) if beyond else "")
        said = "on the front" if t.number in on_front else said
        count = f"{kept.get('count', 0):.0f}"
        costs = (f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" for value in t.values[1:])
        rows.append((label(t), f"{100 * t.values[0]:.1f}", *costs, count, *_beside(kept), said))
    return "<h2>All trials</h2>" + rows_table(head, rows, text=(0, len(head) - 1))


_BESIDE = ("failed", "fallbacks", "read leniently", "lost at most")
"""Problems that failed, the share of those where something else was used, the share of drafts, and the tokens of
calls that were cut off or whose answer was lost, at most."""


def _beside(kept: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = kept.get("metrics", {})
    shares = (share(numbers.get(name, 0.0)) for name in ("fallbacks", "read_leniently"))
    return (counts(kept.get("failures", {})) or "0", *shares, amount(numbers.get("sum_uncounted_at_most", 0.0)))


def _workflows(page: Page) -> str:
    parts = [
        f"<details><summary>{shown(label(t))}</summary><pre>{shown(t.user_attrs.get(WORKFLOW, ''))}</pre></details>"
        for t in page.members
    ]
    return "<h2>The front's workflows</h2>" + "".join(parts)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items() if v is not None) or "none"
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value)
