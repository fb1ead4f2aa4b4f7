"""The fronts at several loads in one plot, a line for each: HTML that needs no network, PNG that needs no browser."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from optimize.showing.load_table import Standing, standings
from optimize.showing.selfcontained import drawn, sheet
from optimize.showing.table import Report
from optimize.weighing.criteria import Objectives
from optimize.weighing.front import Point, front


def figures(report: Report) -> tuple[str, bytes]:
    """The plot as HTML and as PNG, of a report that has several loads."""
    found, names = standings(report), [row.name for row in report.rows]
    heading = f"{report.study}: fronts at several loads, problems the search never saw"
    return _html(found, names, heading), _png(found, names, heading)


def _line(standing: Standing) -> list[Point]:
    """The front of accuracy and seconds alone."""
    flat = [Point(p.accuracy, p.cost) for p in standing.points]
    return [flat[i] for i in front(flat)]


def _label(standing: Standing) -> str:
    return f"load {standing.held.load}"


def _html(found: Sequence[Standing], names: Sequence[str], heading: str) -> str:
    import plotly.graph_objects as go
    from plotly.colors import qualitative

    figure, shown = go.Figure(), [drawn(name) for name in names]
    for place, standing in enumerate(found):
        colour, line = qualitative.Plotly[place % len(qualitative.Plotly)], _line(standing)
        figure.add_trace(
            go.Scatter(
                x=[p.cost for p in line],
                y=[100 * p.accuracy for p in line],
                mode="lines",
                line={"shape": "hv", "color": colour},
                name=_label(standing),
                legendgroup=_label(standing),
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[p.cost for p in standing.points],
                y=[100 * p.accuracy for p in standing.points],
                mode="markers+text",
                marker={"color": colour, "size": [11 if standing.marks(i) else 6 for i in range(len(names))]},
                text=[
                    f"{drawn(name)} {standing.marks(i)}" if standing.marks(i) else "" for i, name in enumerate(names)
                ],
                textposition="top center",
                customdata=shown,
                hovertemplate="%{customdata}<br>%{y:.1f} % at %{x:.3g} s<extra>" + _label(standing) + "</extra>",
                legendgroup=_label(standing),
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


def _png(found: Sequence[Standing], names: Sequence[str], heading: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots()
    for place, standing in enumerate(found):
        colour, line = f"C{place}", _line(standing)
        axes.step(
            [p.cost for p in line], [100 * p.accuracy for p in line], where="post", color=colour, label=_label(standing)
        )
        for i, point in enumerate(standing.points):
            marks, at = standing.marks(i), (point.cost, 100 * point.accuracy)
            axes.scatter(*at, color=colour, s=36 if marks else 12, zorder=3)
            if marks:
                axes.annotate(names[i], at, xytext=(4, 4), textcoords="offset points", fontsize=7, color=colour)
    axes.set(title=heading, xlabel=_AXIS, ylabel="accuracy, %", xscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


_AXIS = Objectives().axis("latency")
