"""The Pareto plot: HTML that needs no network, PNG that needs no browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

from optimize.front import Point, front
from optimize.objective import Latency
from optimize.selfcontained import sheet

NOTE = "Bars are 95 % intervals; the dotted line is the Pareto front. Hover over a mark for its workflow."

FEW = 12
"""Up to so many workflows all of them bear their names; of more only front members and baselines do."""


@dataclass(frozen=True)
class Dot:
    """One workflow in the plot; `low` and `high` are its accuracy's interval."""

    name: str
    title: str
    point: Point
    low: float
    high: float
    baseline: bool = False


def axis(latency: Latency) -> str:
    """The latency axis' title."""
    return "median seconds along the critical path" if latency == "seconds" else "mean tokens generated along the path"


def as_html(dots: Sequence[Dot], latency: Latency, heading: str) -> str:
    """An interactive plot in one file."""
    return sheet(heading, heading, NOTE, pareto(dots, latency))


def pareto(dots: Sequence[Dot], latency: Latency) -> Any:
    """The interactive plot as a plotly figure."""
    import plotly.graph_objects as go

    figure = go.Figure()
    line = [dots[i] for i in front([d.point for d in dots])]
    figure.add_trace(
        go.Scatter(
            x=[d.point.latency for d in line],
            y=[100 * d.point.accuracy for d in line],
            mode="lines",
            line={"shape": "hv", "dash": "dot", "color": "#888"},
            name="Pareto front",
            hoverinfo="skip",
        )
    )
    for group in _groups(dots):
        chosen = group.dots
        figure.add_trace(
            go.Scatter(
                x=[d.point.latency for d in chosen],
                y=[100 * d.point.accuracy for d in chosen],
                error_y={
                    "type": "data",
                    "array": [100 * (d.high - d.point.accuracy) for d in chosen],
                    "arrayminus": [100 * (d.point.accuracy - d.low) for d in chosen],
                    "thickness": 1,
                    "width": 3,
                    "color": group.faint,
                },
                marker={"color": group.colour, "size": 8},
                mode="markers+text" if group.named else "markers",
                text=[d.name for d in chosen],
                textposition=f"{group.side} right",
                customdata=[d.title for d in chosen],
                hovertemplate="%{text}<br>%{customdata}<br>%{y:.1f} % at %{x:.3g}<extra></extra>",
                name=group.name,
            )
        )
    farthest = max(d.point.latency for d in dots)
    return figure.update_layout(
        template="plotly_white",
        height=520,
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
        # Names stand to the right of their marks.
        xaxis={"title": axis(latency), "range": [0, 1.1 * farthest or 1.0]},
        yaxis={"title": "accuracy, %", "range": _accuracies(dots)},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )


def as_png(dots: Sequence[Dot], latency: Latency, heading: str) -> bytes:
    """The same as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    line = [dots[i] for i in front([d.point for d in dots])]
    axes.step(
        [d.point.latency for d in line],
        [100 * d.point.accuracy for d in line],
        where="post",
        linestyle=":",
        color="grey",
        label="Pareto front",
    )
    for group in _groups(dots):
        chosen = group.dots
        x, y = [d.point.latency for d in chosen], [100 * d.point.accuracy for d in chosen]
        errors = [
            [100 * (d.point.accuracy - d.low) for d in chosen],
            [100 * (d.high - d.point.accuracy) for d in chosen],
        ]
        look = {"color": group.colour, "ecolor": group.faint, "elinewidth": 1.0, "capsize": 2, "markersize": 5}
        axes.errorbar(x, y, yerr=errors, fmt="o", label=group.name, **look)
        for d, left, height in zip(chosen if group.named else (), x, y, strict=False):
            below = group.side == "bottom"
            axes.annotate(
                d.name, (left, height), xytext=(5, -11 if below else 4), textcoords="offset points", fontsize=8
            )
    axes.set(title=heading, xlabel=axis(latency), ylabel="accuracy, %", ylim=_accuracies(dots))
    axes.set_xlim(0, 1.1 * max(d.point.latency for d in dots) or 1.0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


@dataclass(frozen=True)
class _Group:
    """Dots that look alike; those that are `named` bear their names, above or below to the right (`side`)."""

    name: str
    dots: list[Dot]
    colour: str
    faint: str
    side: Literal["top", "bottom"] = "bottom"
    named: bool = True


def _groups(dots: Sequence[Dot]) -> list[_Group]:
    members = set(front([d.point for d in dots]))
    of = {
        kind: [d for i, d in enumerate(dots) if kind == ("baseline" if d.baseline else "front" if i in members else "")]
        for kind in ("", "front", "baseline")
    }
    groups = [
        _Group("other workflows", of[""], "#9aa5b1", "#d9dee3", named=len(dots) <= FEW),
        _Group("workflows on the front", of["front"], "#1f6feb", "#a5c5f7", "top"),
        _Group("baselines at the same budget", of["baseline"], "#c2410c", "#efc3ad"),
    ]
    return [group for group in groups if group.dots]


def _accuracies(dots: Sequence[Dot]) -> tuple[float, float]:
    """The accuracy axis: what the intervals cover, and a little room, in percent."""
    return max(-2.0, 100 * min(d.low for d in dots) - 4), min(103.0, 100 * max(d.high for d in dots) + 4)
