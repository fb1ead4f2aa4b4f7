"""The Pareto plot: HTML that needs no network, PNG that needs no browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from optimize.front import Point, front
from optimize.objective import Latency


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
    return str(pareto(dots, latency, heading).to_html(include_plotlyjs=True, full_html=True))


def pareto(dots: Sequence[Dot], latency: Latency, heading: str) -> Any:
    """The interactive plot as a plotly figure."""
    import plotly.graph_objects as go

    figure = go.Figure()
    line = [dots[i] for i in front([d.point for d in dots])]
    figure.add_trace(
        go.Scatter(
            x=[d.point.latency for d in line],
            y=[100 * d.point.accuracy for d in line],
            mode="lines",
            line={"shape": "hv", "dash": "dot"},
            name="Pareto front",
            hoverinfo="skip",
        )
    )
    for name, chosen in _groups(dots):
        figure.add_trace(
            go.Scatter(
                x=[d.point.latency for d in chosen],
                y=[100 * d.point.accuracy for d in chosen],
                error_y={
                    "type": "data",
                    "array": [100 * (d.high - d.point.accuracy) for d in chosen],
                    "arrayminus": [100 * (d.point.accuracy - d.low) for d in chosen],
                    "thickness": 1,
                },
                mode="markers+text",
                text=[d.name for d in chosen],
                textposition="top center",
                customdata=[d.title for d in chosen],
                hovertemplate="%{text}<br>%{customdata}<br>%{y:.1f} % at %{x:.3g}<extra></extra>",
                name=name,
            )
        )
    figure.update_layout(title=heading, xaxis_title=axis(latency), yaxis_title="accuracy, %", template="plotly_white")
    return figure


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
    for (name, chosen), marker in zip(_groups(dots), "os", strict=False):
        x, y = [d.point.latency for d in chosen], [100 * d.point.accuracy for d in chosen]
        errors = [
            [100 * (d.point.accuracy - d.low) for d in chosen],
            [100 * (d.high - d.point.accuracy) for d in chosen],
        ]
        axes.errorbar(x, y, yerr=errors, fmt=marker, elinewidth=0.8, capsize=2, label=name)
        for d in chosen:
            axes.annotate(
                d.name, (d.point.latency, 100 * d.point.accuracy), xytext=(4, 4), textcoords="offset points", fontsize=7
            )
    axes.set(title=heading, xlabel=axis(latency), ylabel="accuracy, %")
    axes.grid(alpha=0.3)
    axes.legend()
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _groups(dots: Sequence[Dot]) -> list[tuple[str, list[Dot]]]:
    groups = [
        ("searched", [d for d in dots if not d.baseline]),
        ("baseline at the same budget", [d for d in dots if d.baseline]),
    ]
    return [(name, chosen) for name, chosen in groups if chosen]
