"""The fronts at several loads in one plot, a line for each: HTML that needs no network, PNG that needs no browser."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point, front
from optimize.reporting.html import drawn, sheet
from optimize.reporting.load_table import LoadFront, load_fronts
from optimize.reporting.report import Report


def figures(report: Report) -> tuple[str, bytes]:
    """The plot as HTML and as PNG, of a report that has several loads."""
    found, names = load_fronts(report), [row.name for row in report.rows]
    heading = f"{report.study}: fronts at several loads, problems the search never saw"
    return _html(found, names, heading), _png(found, names, heading)


def _line(at: LoadFront) -> list[Point]:
    """The front of accuracy and seconds alone."""
    flat = [Point(p.accuracy, p.cost) for p in at.points]
    return [flat[i] for i in front(flat)]


def _label(at: LoadFront) -> str:
    return f"load {at.level.load}"


def _html(found: Sequence[LoadFront], names: Sequence[str], heading: str) -> str:
    import plotly.graph_objects as go
    from plotly.colors import qualitative

    figure, shown = go.Figure(), [drawn(name) for name in names]
    for place, at in enumerate(found):
        colour, line = qualitative.Plotly[place % len(qualitative.Plotly)], _line(at)
        figure.add_trace(
            go.Scatter(
                x=[p.cost for p in line],
                y=[100 * p.accuracy for p in line],
                mode="lines",
                line={"shape": "hv", "color": colour},
                name=_label(at),
                legendgroup=_label(at),
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[p.cost for p in at.points],
                y=[100 * p.accuracy for p in at.points],
                mode="markers+text",
                marker={"color": colour, "size": [11 if at.marks(i) else 6 for i in range(len(names))]},
                text=[f"{drawn(name)} {at.marks(i)}" if at.marks(i) else "" for i, name in enumerate(names)],
                textposition="top center",
                customdata=shown,
                hovertemplate="%{customdata}<br>%{y:.1f} % at %{x:.3g} s<extra>" + _label(at) + "</extra>",
                legendgroup=_label(at),
                showlegend=False,
            )
        )
    figure.update_layout(
        template="plotly_white",
        height=520,
        margin={"l": 60, "r": 20, "t": 40, "b": 50},
        xaxis={"title": _AXIS, "type": "log"},
        yaxis={"title": "accuracy, %"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    return sheet(heading, heading, "Large dots are on a front or have a title there.", figure)


def _png(found: Sequence[LoadFront], names: Sequence[str], heading: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    for place, at in enumerate(found):
        colour, line = f"C{place}", _line(at)
        axes.step(
            [p.cost for p in line], [100 * p.accuracy for p in line], where="post", color=colour, label=_label(at)
        )
        for i, point in enumerate(at.points):
            marks, spot = at.marks(i), (point.cost, 100 * point.accuracy)
            axes.scatter(*spot, color=colour, s=36 if marks else 12, zorder=3)
            if marks:
                axes.annotate(names[i], spot, xytext=(4, 4), textcoords="offset points", fontsize=7, color=colour)
    axes.set(title=heading, xlabel=_AXIS, ylabel="accuracy, %", xscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


_AXIS = Objectives().axis("latency")
