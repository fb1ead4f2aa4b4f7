"""The Pareto plot: HTML that needs no network, PNG that needs no browser.

Accuracy against one of the costs; where there are two, the other one is the dots' colour, and there is a plot for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

from optimize.objectives.criteria import Cost, Objectives
from optimize.objectives.front import Point, front
from optimize.reporting.html import drawn, sheet

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


def as_html(dots: Sequence[Dot], objectives: Objectives, heading: str, along: Cost | None = None) -> str:
    """An interactive plot in one file."""
    return sheet(heading, heading, NOTE, pareto(dots, objectives, along))


def pareto(dots: Sequence[Dot], objectives: Objectives, along: Cost | None = None) -> Any:
    """The interactive plot as a plotly figure.

    Args:
        dots: What to plot.
        objectives: What their points weigh.
        along: The cost of the horizontal axis; default: the first.
    """
    import plotly.graph_objects as go

    view = _View(dots, objectives, along)
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[p.cost for p in view.line],
            y=[100 * p.accuracy for p in view.line],
            mode="lines",
            line={"shape": "hv", "dash": "dot", "color": "#888"},
            name=view.line_name,
            hoverinfo="skip",
        )
    )
    for group in view.groups:
        chosen = group.dots
        marker: dict[str, Any] = {"color": group.colour, "size": 8, "symbol": group.symbol}
        if view.shade is not None:
            edge = {"color": group.colour, "width": 2}
            marker |= {"color": [view.shaded(d) for d in chosen], "coloraxis": "coloraxis", "size": 10, "line": edge}
        figure.add_trace(
            go.Scatter(
                x=[view.across(d) for d in chosen],
                y=[100 * d.point.accuracy for d in chosen],
                error_y={
                    "type": "data",
                    "array": [100 * (d.high - d.point.accuracy) for d in chosen],
                    "arrayminus": [100 * (d.point.accuracy - d.low) for d in chosen],
                    "thickness": 1,
                    "width": 3,
                    "color": group.faint,
                },
                marker=marker,
                mode="markers+text" if group.named else "markers",
                text=[drawn(d.name) for d in chosen],
                textposition=f"{group.side} right",
                customdata=[
                    f"{drawn(d.title)}<br>{100 * d.point.accuracy:.1f} % at {objectives.told(d.point)}" for d in chosen
                ],
                hovertemplate="%{text}<br>%{customdata}<extra></extra>",
                name=group.name,
            )
        )
    figure.update_layout(
        template="plotly_white",
        height=520,
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
        xaxis={"title": objectives.axis(view.along), "range": view.costs},
        yaxis={"title": "accuracy, %", "range": view.accuracies},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    if view.shade is not None:
        bar = {"title": {"text": view.shade_name, "side": "right"}, "thickness": 12}
        figure.update_layout(coloraxis={"colorscale": "Viridis", "colorbar": bar})
    return figure


def as_png(dots: Sequence[Dot], objectives: Objectives, heading: str, along: Cost | None = None) -> bytes:
    """The same as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    view = _View(dots, objectives, along)
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    axes.step(
        [p.cost for p in view.line],
        [100 * p.accuracy for p in view.line],
        where="post",
        linestyle=":",
        color="grey",
        label=view.line_name,
    )
    shades = [view.shaded(d) for d in dots]
    scale = Normalize(min(shades), max(shades))
    drawn: Any = None
    for group in view.groups:
        chosen = group.dots
        x, y = [view.across(d) for d in chosen], [100 * d.point.accuracy for d in chosen]
        errors = [
            [100 * (d.point.accuracy - d.low) for d in chosen],
            [100 * (d.high - d.point.accuracy) for d in chosen],
        ]
        axes.errorbar(x, y, yerr=errors, fmt="none", ecolor=group.faint, elinewidth=1.0, capsize=2)
        fill = {"c": group.colour} if view.shade is None else {"c": [view.shaded(d) for d in chosen], "norm": scale}
        marker = "s" if group.symbol == "square" else "o"
        drawn = axes.scatter(x, y, marker=marker, s=32, edgecolors=group.colour, label=group.name, zorder=3, **fill)
        for d, left, height in zip(chosen if group.named else (), x, y, strict=False):
            below = group.side == "bottom"
            axes.annotate(
                d.name, (left, height), xytext=(5, -11 if below else 4), textcoords="offset points", fontsize=8
            )
    if view.shade is not None:
        figure.colorbar(drawn, ax=axes, label=view.shade_name)
    axes.set(title=heading, xlabel=objectives.axis(view.along), ylabel="accuracy, %")
    axes.set(xlim=view.costs, ylim=view.accuracies)
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
    symbol: Literal["circle", "square"] = "circle"


class _View:
    """Dots as one plot shows them: one cost across, another one (if there is one) as colour."""

    def __init__(self, dots: Sequence[Dot], objectives: Objectives, along: Cost | None) -> None:
        self.along = along or objectives.costs[0]
        self.shade = next((cost for cost in objectives.costs if cost != self.along), None)
        self.shade_name = "" if self.shade is None else objectives.axis(self.shade)
        self.line_name = "Pareto front" if self.shade is None else "front of these two alone"
        self._across = objectives.costs.index(self.along)
        self._shaded = 0 if self.shade is None else objectives.costs.index(self.shade)
        flat = [Point(d.point.accuracy, self.across(d)) for d in dots]
        self.line = [flat[i] for i in front(flat)]
        self.groups = _groups(dots)
        # The axes cover what there is and a little more: names stand to the right of their marks.
        self.costs = (0.0, 1.1 * max(map(self.across, dots)) or 1.0)
        self.accuracies = (
            max(-2.0, 100 * min(d.low for d in dots) - 4),
            min(103.0, 100 * max(d.high for d in dots) + 4),
        )

    def across(self, dot: Dot) -> float:
        return dot.point.costs[self._across]

    def shaded(self, dot: Dot) -> float:
        return dot.point.costs[self._shaded]


def _groups(dots: Sequence[Dot]) -> list[_Group]:
    members = set(front([d.point for d in dots]))  # in everything that is weighed
    of = {
        kind: [d for i, d in enumerate(dots) if kind == ("baseline" if d.baseline else "front" if i in members else "")]
        for kind in ("", "front", "baseline")
    }
    groups = [
        _Group("other workflows", of[""], "#9aa5b1", "#d9dee3", named=len(dots) <= FEW),
        _Group("workflows on the front", of["front"], "#1f6feb", "#a5c5f7", "top"),
        _Group("baselines at the same budget", of["baseline"], "#c2410c", "#efc3ad", symbol="square"),
    ]
    return [group for group in groups if group.dots]
