"""A study as one HTML page that needs no network: what was found, what was tried, what mattered.

Everything comes from the study's own storage (and its directory, for the report on problems the search never saw), so a
page can be made of a search that is still running, or was killed. Knows nothing of endpoints.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from optimize.front import Point, front
from optimize.objective import Latency
from optimize.plots import Dot, pareto
from optimize.study import METRICS, SCORES, WORKFLOW, baseline_of

NUMBERS = ("kappa", "cap", "k", "temperature")
"""Dimensions whose choices have an order."""


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
    def latency(self) -> Latency:
        """Which latency was weighed."""
        return "tokens" if self.fingerprint.get("latency") == "tokens" else "seconds"

    @property
    def whole(self) -> list[FrozenTrial]:
        """Trials that have seen every problem and kept to budget and limits."""
        return [t for t in self.trials if all(v <= 0 for v in t.constraints.values())]

    @property
    def members(self) -> list[FrozenTrial]:
        """The search's front, fastest first."""
        whole = self.whole
        return [whole[i] for i in front([d.point for d in _dots(whole)])] if whole else []


def as_page(page: Page) -> str:
    """The HTML."""
    figures = [f for f in (_pareto(page), _parallel(page), _importance(page), _heat(page)) if f is not None]
    drawn = [
        f"<h2>{html.escape(heading)}</h2><p>{html.escape(note)}</p>"
        + figure.to_html(include_plotlyjs=place == 0, full_html=False)
        for place, (heading, note, figure) in enumerate(figures)
    ]
    body = [_head(page), _reported(page), *drawn, _table(page), _workflows(page)]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(page.name)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2rem .6rem;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child,td.text,th.text{text-align:left}"
    "pre{background:#f6f6f6;padding:.6rem;overflow:auto}summary{cursor:pointer}.out{color:#888}"
)


def _head(page: Page) -> str:
    given_up = sum(bool(_metrics(t).get("given_up")) for t in page.trials)
    beyond = len(page.trials) - len(page.whole) - given_up
    facts = {
        "trials": f"{len(page.trials)}: {len(page.whole)} whole, {given_up} given up early, {beyond} beyond a limit",
        "generated": "not counted" if page.spent is None else f"{page.spent:,} tokens in all",
        **{
            name: _plain(value)
            for name, value in page.fingerprint.items()
            if name not in ("space", "directions", "proposals")
        },
        **_proposals(page.fingerprint.get("space", {}).get("proposals")),
    }
    rows = "".join(f"<tr><td>{html.escape(k)}</td><td class=text>{html.escape(v)}</td></tr>" for k, v in facts.items())
    return f"<h1>{html.escape(page.name)}</h1><table>{rows}</table>"


def _proposals(plain: Mapping[str, Any] | None) -> dict[str, str]:
    if plain is None:
        return {}
    texts = (f"{stage}={name}: {text}" for stage, own in plain["texts"].items() for name, text in own.items())
    return {f"proposed by {plain['proposer']}": "; ".join(texts) or "nothing usable"}


def _reported(page: Page) -> str:
    if page.report is None:
        return "<h2>On problems the search never saw</h2><p>Not measured: the search has not come to its report.</p>"
    head = ("workflow", "", "accuracy [95 %]", "in the search", "p50 s", "p95 s", "path", "B_total")
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
            f"{r['metrics']['mean_b_total']:.0f}",
        )
        rows.append(cells)
    note = (
        f"{page.report['report_problems']} problems, {page.report['load']} requests in flight. `?`: its interval "
        "overlaps that of a faster front member."
    )
    return f"<h2>On problems the search never saw</h2><p>{html.escape(note)}</p>" + _rows(head, rows)


def _pareto(page: Page) -> tuple[str, str, Any] | None:
    dots = _dots(page.whole)
    if not dots:
        return None
    note = "Every trial that has seen all of the search's problems; bars are 95 % intervals."
    return "The search's front", note, pareto(dots, page.latency, page.name)


def _parallel(page: Page) -> tuple[str, str, Any] | None:
    import plotly.graph_objects as go

    trials = page.whole
    if len(trials) < 2:
        return None
    names = list(dict.fromkeys(name for t in trials for name in t.params))
    axes = [_axis(name, [t.params.get(name) for t in trials]) for name in names]
    accuracy = [100 * t.values[0] for t in trials]
    axes += [
        {"label": "accuracy, %", "values": accuracy},
        {"label": page.latency, "values": [t.values[1] for t in trials]},
    ]
    line = {"color": accuracy, "colorscale": "Viridis", "showscale": True}
    note = "Each line is a trial; drag along an axis to pick some. '-': the dimension does not matter to the workflow."
    return "What was tried", note, go.Figure(go.Parcoords(line=line, dimensions=axes))


def _axis(name: str, values: Sequence[Any]) -> dict[str, Any]:
    found = {v for v in values if v is not None}
    ordered = sorted(found, key=float) if name in NUMBERS else sorted(found, key=str)
    ticks = [*(["-"] if None in values else []), *ordered]
    places = {v: i for i, v in enumerate(ticks)}
    return {
        "label": name,
        "values": [places["-" if v is None else v] for v in values],
        "tickvals": list(range(len(ticks))),
        "ticktext": [str(t) for t in ticks],
    }


def _importance(page: Page) -> tuple[str, str, Any] | None:
    """How much of the variance between trials each dimension explains alone (one-way ANOVA's eta squared)."""
    import plotly.graph_objects as go

    trials = page.whole
    shares = {
        f"{name} ({what})": share
        for place, what in enumerate(("accuracy", "latency"))
        for name in dict.fromkeys(n for t in trials for n in t.params)
        if (share := explained([(t.params[name], t.values[place]) for t in trials if name in t.params])) is not None
    }
    if not shares:
        return None
    ranked = sorted(shares.items(), key=lambda item: item[1])
    note = (
        "The share of the variance between trials that a dimension explains by itself (eta squared, less what chance "
        "would). Trials are not drawn evenly, so read it as a hint."
    )
    bar = go.Bar(x=[v for _, v in ranked], y=[k for k, _ in ranked], orientation="h")
    return "What mattered", note, go.Figure(bar)


def explained(pairs: Sequence[tuple[Any, float]]) -> float | None:
    """The share (0 to 1) of a value's variance between groups, adjusted for their number (omega squared).

    Args:
        pairs: Group and value. None where there are not two groups, or no more values than groups.
    """
    groups: dict[Any, list[float]] = {}
    for group, value in pairs:
        groups.setdefault(group, []).append(value)
    total, count = len(pairs), len(groups)
    if count < 2 or total <= count:
        return None
    mean = math.fsum(v for _, v in pairs) / total
    whole = math.fsum((v - mean) ** 2 for _, v in pairs)
    if whole == 0:
        return None
    between = math.fsum(len(vs) * (math.fsum(vs) / len(vs) - mean) ** 2 for vs in groups.values())
    within = (whole - between) / (total - count)
    return min(1.0, max(0.0, (between - (count - 1) * within) / (whole + within)))


def _heat(page: Page) -> tuple[str, str, Any] | None:
    import plotly.graph_objects as go

    kept = [(t, t.user_attrs[SCORES]["accuracy"]) for t in page.whole if SCORES in t.user_attrs]
    if not kept:
        return None
    kept.sort(key=lambda item: item[0].values[0])
    columns = list(zip(*(row for _, row in kept), strict=True))
    order = sorted(range(len(columns)), key=lambda i: -sum(columns[i]))
    figure = go.Figure(
        go.Heatmap(
            z=[[row[i] for i in order] for _, row in kept],
            x=[f"problem {i + 1}" for i in order],
            y=[_name(t) for t, _ in kept],
            colorscale="Blues",
            zmin=0,
            zmax=1,
        )
    )
    figure.update_xaxes(showticklabels=False)
    return "Who solves what", "Trials by accuracy, problems by how many trials solve them; dark is solved.", figure


def _table(page: Page) -> str:
    head = ("trial", "accuracy", page.latency, "problems", "what became of it")
    on_front = {t.number for t in page.members}
    rows = []
    for t in sorted(page.trials, key=lambda t: (-t.values[0], t.values[1])):
        metrics = _metrics(t)
        beyond = [name for name, value in t.constraints.items() if value > 0 and name != "racing"]
        said = metrics.get("given_up") or ("beyond " + ", ".join(beyond) if beyond else "")
        said = "on the front" if t.number in on_front else said
        count = f"{metrics.get('count', 0):.0f}"
        rows.append((_name(t), f"{100 * t.values[0]:.1f}", f"{t.values[1]:.3g}", count, said))
    return "<h2>All trials</h2>" + _rows(head, rows, text=(0, 4))


def _workflows(page: Page) -> str:
    parts = [
        f"<details><summary>{html.escape(_name(t))}</summary><pre>{html.escape(t.user_attrs.get(WORKFLOW, ''))}</pre>"
        "</details>"
        for t in page.members
    ]
    return "<h2>The front's workflows</h2>" + "".join(parts)


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]], text: Sequence[int] = (0, 1)) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        made = (f"<{tag}{' class=text' if i in text else ''}>{html.escape(c)}</{tag}>" for i, c in enumerate(cells))
        return f"<tr>{''.join(made)}</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(r, 'td') for r in rows)}</table>"


def trial_dot(trial: FrozenTrial, title: str) -> Dot:
    """A trial in a plot of the search."""
    baseline, metrics = baseline_of(trial), _metrics(trial)
    point = Point(*trial.values)
    low, high = metrics.get("low", point.accuracy), metrics.get("high", point.accuracy)
    return Dot(baseline or f"t{trial.number}", title, point, low, high, baseline is not None)


def _dots(trials: Sequence[FrozenTrial]) -> list[Dot]:
    return [trial_dot(t, _name(t)) for t in trials]


def _name(trial: FrozenTrial) -> str:
    params = ", ".join(f"{k} {v}" for k, v in trial.params.items() if v != "default")
    return f"{baseline_of(trial) or f't{trial.number}'}: {params}"


def _metrics(trial: FrozenTrial) -> Mapping[str, Any]:
    found: Mapping[str, Any] = trial.user_attrs.get(METRICS, {})
    return found


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items() if v is not None) or "none"
    return value if isinstance(value, str) else json.dumps(value)
