"""Plots of a question: a PNG that needs no browser, and HTML that needs no network. Knows nothing of measuring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

_MARKERS = "osD^vPX*<>hd"


@dataclass(frozen=True)
class Dot:
    """One value with its interval. `x` is a number, or a label where the axis has names.

    Dots of one `kind` have one marker in every series; without, a series has a marker of its own.
    """

    x: float | str
    y: float
    low: float
    high: float
    label: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Series:
    """Dots that belong together.

    Attributes:
        name: What the legend calls it.
        dots: Its values.
        line: Whether they are joined.
        colour: Its own; None: one of a palette.
        strong: Whether it stands out among the others.
    """

    name: str
    dots: tuple[Dot, ...]
    line: bool = True
    colour: str | None = None
    strong: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    x_title: str
    series: tuple[Series, ...]
    log: bool = False


@dataclass(frozen=True)
class Chart:
    """Panels side by side over one vertical axis."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    y_title: str = "accuracy, %"


def as_png(chart: Chart) -> bytes:
    """The chart as a picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(
        figsize=((6.2 if len(chart.panels) < 3 else 5.0) * len(chart.panels), 5), dpi=110, layout="constrained"
    )
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(1, len(chart.panels), sharey=True, squeeze=False)
    kinds = _kinds(chart)
    for axes, panel in zip(grid[0], chart.panels, strict=True):
        for i, series in enumerate(panel.series):
            for kind in dict.fromkeys(d.kind for d in series.dots):
                dots = [d for d in series.dots if d.kind == kind]
                axes.errorbar(
                    [d.x for d in dots],
                    [d.y for d in dots],
                    yerr=[[d.y - d.low for d in dots], [d.high - d.y for d in dots]],
                    fmt=_marker(kinds.index(kind) if kind else i) + ("-" if series.line else ""),
                    elinewidth=1.2 if series.strong else 0.7, linewidth=0.9, markersize=6.5 if series.strong else 4.5,
                    capsize=2, label="" if kinds else series.name, color=series.colour or f"C{i}",
                    zorder=3 if series.strong else 2,
                )  # fmt: skip
        if panel.log:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
            axes.xaxis.set_major_formatter("{x:.0f}")
            axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(title=panel.title, xlabel=panel.x_title)
        axes.grid(alpha=0.3)
    grid[0][0].set_ylabel(chart.y_title)
    if kinds:
        for i, series in enumerate(chart.panels[-1].series):
            axes.plot([], [], "-", linewidth=4, color=series.colour or f"C{i}", label=series.name)
        for i, kind in enumerate(kinds):
            axes.plot([], [], _marker(i), color="grey", label=kind)
        figure.legend(fontsize=8, loc="outside right upper")
    else:
        axes.legend(fontsize=7)
    figure.suptitle(chart.title)
    file = BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def as_html(chart: Chart) -> str:
    """The chart as an interactive page."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(
        1, len(chart.panels), shared_yaxes=True, subplot_titles=[panel.title for panel in chart.panels]
    )
    colours = _colours(chart)
    shown: set[str] = set()
    for column, panel in enumerate(chart.panels, start=1):
        for series in panel.series:
            dots = series.dots
            bar = {
                "type": "data", "thickness": 1,
                "array": [d.high - d.y for d in dots], "arrayminus": [d.y - d.low for d in dots],
            }  # fmt: skip
            trace = go.Scatter(
                x=[d.x for d in dots], y=[d.y for d in dots], error_y=bar, name=series.name, legendgroup=series.name,
                mode="lines+markers" if series.line else "markers", text=[d.label for d in dots],
                marker={"color": series.colour or colours[series.name], "size": 10 if series.strong else 6},
                showlegend=series.name not in shown,
                hovertemplate="%{text}<br>%{y:.1f} at %{x}<extra>" + series.name + "</extra>",
            )  # fmt: skip
            shown.add(series.name)
            figure.add_trace(trace, row=1, col=column)
        figure.update_xaxes(title_text=panel.x_title, type="log" if panel.log else None, row=1, col=column)
    figure.update_yaxes(title_text=chart.y_title, row=1, col=1)
    figure.update_layout(title=chart.title, template="plotly_white")
    return str(figure.to_html(include_plotlyjs=True, full_html=True, div_id=chart.name))


def _kinds(chart: Chart) -> list[str]:
    return list(dict.fromkeys(d.kind for panel in chart.panels for s in panel.series for d in s.dots if d.kind))


def _marker(number: int) -> str:
    return _MARKERS[number % len(_MARKERS)]


def _colours(chart: Chart) -> dict[str, str]:
    from plotly.colors import qualitative

    names: Sequence[str] = list(dict.fromkeys(s.name for panel in chart.panels for s in panel.series))
    palette = qualitative.Dark24
    return {name: palette[i % len(palette)] for i, name in enumerate(names)}
