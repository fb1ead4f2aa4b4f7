"""The Pareto plot: HTML that needs no network, PNG that needs no browser.

Accuracy against one of the costs; where there are two, the other one is the dots' colour, and there is a plot for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from optimize.criteria import Cost, Objectives
from optimize.front import Point, front


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
    return str(pareto(dots, objectives, heading, along).to_html(include_plotlyjs=True, full_html=True))


def pareto(dots: Sequence[Dot], objectives: Objectives, heading: str, along: Cost | None = None) -> Any:
    """The interactive plot as a plotly figure.

    Args:
        dots: What to plot.
        objectives: What their points weigh.
        heading: The title.
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
            line={"shape": "hv", "dash": "dot"},
            name=view.line_name,
            hoverinfo="skip",
        )
    )
    for name, chosen in _groups(dots):
        marker: dict[str, Any] = {"line": {"width": [1.5 if d in view.members else 0 for d in chosen]}}
        if view.shade is not None:
            marker |= {"color": [view.shaded(d) for d in chosen], "coloraxis": "coloraxis", "size": 10}
        figure.add_trace(
            go.Scatter(
                x=[view.across(d) for d in chosen],
                y=[100 * d.point.accuracy for d in chosen],
                error_y={
                    "type": "data",
                    "array": [100 * (d.high - d.point.accuracy) for d in chosen],
                    "arrayminus": [100 * (d.point.accuracy - d.low) for d in chosen],
                    "thickness": 1,
                },
                mode="markers+text",
                marker={**marker, "symbol": "circle" if name == SEARCHED else "square"},
                text=[d.name for d in chosen],
                textposition="top center",
                customdata=[
                    f"{d.title}<br>{100 * d.point.accuracy:.1f} % at {objectives.told(d.point)}" for d in chosen
                ],
                hovertemplate="%{text}<br>%{customdata}<extra></extra>",
                name=name,
            )
        )
    figure.update_layout(
        title=heading,
        xaxis_title=objectives.axis(view.along),
        yaxis_title="accuracy, %",
        template="plotly_white",
        legend={"orientation": "h", "y": -0.2},
    )
    if view.shade is not None:
        figure.update_layout(
            coloraxis={"colorscale": "Viridis", "colorbar": {"title": {"text": view.shade_name, "side": "right"}}}
        )
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
    for place, ((name, chosen), marker) in enumerate(zip(_groups(dots), "os", strict=False)):
        x, y = [view.across(d) for d in chosen], [100 * d.point.accuracy for d in chosen]
        errors = [
            [100 * (d.point.accuracy - d.low) for d in chosen],
            [100 * (d.high - d.point.accuracy) for d in chosen],
        ]
        colour = f"C{place}" if view.shade is None else "grey"
        axes.errorbar(x, y, yerr=errors, fmt="none", ecolor=colour, elinewidth=0.8, capsize=2)
        fill = {"c": colour} if view.shade is None else {"c": [view.shaded(d) for d in chosen], "norm": scale}
        edges = ["black" if d in view.members else "none" for d in chosen]
        drawn = axes.scatter(x, y, marker=marker, s=40, edgecolors=edges, label=name, zorder=3, **fill)
        for d, at in zip(chosen, zip(x, y, strict=True), strict=True):
            axes.annotate(d.name, at, xytext=(4, 4), textcoords="offset points", fontsize=7)
    if view.shade is not None:
        figure.colorbar(drawn, ax=axes, label=view.shade_name)
    axes.set(title=heading, xlabel=objectives.axis(view.along), ylabel="accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend()
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


class _View:
    """Dots as one plot shows them: one cost across, another one (if there is one) as colour."""

    def __init__(self, dots: Sequence[Dot], objectives: Objectives, along: Cost | None) -> None:
        self.along = along or objectives.costs[0]
        self.shade = next((cost for cost in objectives.costs if cost != self.along), None)
        self.shade_name = "" if self.shade is None else objectives.axis(self.shade)
        self.line_name = "Pareto front" if self.shade is None else "front of these two alone"
        self._across = objectives.costs.index(self.along)
        self._shaded = 0 if self.shade is None else objectives.costs.index(self.shade)
        self.members = [dots[i] for i in front([d.point for d in dots])]  # in everything that is weighed
        flat = [Point(d.point.accuracy, self.across(d)) for d in dots]
        self.line = [flat[i] for i in front(flat)]

    def across(self, dot: Dot) -> float:
        return dot.point.costs[self._across]

    def shaded(self, dot: Dot) -> float:
        return dot.point.costs[self._shaded]


SEARCHED = "searched"


def _groups(dots: Sequence[Dot]) -> list[tuple[str, list[Dot]]]:
    groups = [
        (SEARCHED, [d for d in dots if not d.baseline]),
        ("baseline at the same budget", [d for d in dots if d.baseline]),
    ]
    return [(name, chosen) for name, chosen in groups if chosen]
