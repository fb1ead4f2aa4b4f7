"""What a study's trials look like, drawn: front, parallel coordinates, importance of dimensions, who solves what.

Drawings are made of stored trials alone, once for whoever shows them (the study's page, the tracker). Knows nothing of
files.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial

from optimize.objectives.criteria import Cost, Objectives
from optimize.objectives.front import Point
from optimize.reporting.html import drawn, sheet
from optimize.reporting.plots import NOTE, Dot, pareto
from optimize.space.choices import USUAL_PROMPTS
from optimize.space.title import cap_text
from optimize.study.trials import METRICS, SCORES, baseline_of

ORDER = ("topology", "distiller", "chain_distiller", "k", "kappa", "cap", "temperature", "format")
"""Dimensions as people name them; what is not among them comes after."""

NUMBERS = ("kappa", "cap", "k", "temperature")
"""Dimensions whose choices have an order."""

FRONT = "pareto_search"
"""The name of the search's Pareto plot."""

QUANTILE = 0.25
"""Importance: a dimension matters as far as its choices differ between this share of the trials, the best, and all."""

LEAST = 20
"""Trials from which importance is told: the method wants five or more among the best."""


@dataclass(frozen=True)
class Drawing:
    """A figure of a study.

    Attributes:
        name: As a file, without its ending.
        heading: What it is.
        note: How to read it; without a figure, why there is none.
        figure: A plotly figure, or None.
    """

    name: str
    heading: str
    note: str
    figure: Any | None

    def as_sheet(self, study: str) -> str:
        """An HTML document of its own."""
        heading = f"{study}: {self.heading}"
        return sheet(heading, heading, self.note, self.figure)


def drawings(trials: Sequence[FrozenTrial], objectives: Objectives) -> list[Drawing]:
    """All that is drawn of trials that have seen every problem."""
    fronts = [front_of(trials, objectives, cost) for cost in objectives.costs]
    return [
        *fronts,
        parallel_coordinates(trials, objectives),
        importance(trials, objectives),
        heat_map(trials),
    ]


def front_name(name: str, cost: Cost, objectives: Objectives) -> str:
    """A Pareto plot's name: that against the first cost bears none."""
    return name if cost == objectives.costs[0] else f"{name}_{cost}"


def short(trial: FrozenTrial) -> str:
    """A trial's name: `t12`, or a baseline's."""
    return baseline_of(trial) or f"t{trial.number}"


def label(trial: FrozenTrial) -> str:
    """A trial in a line, made of its choices: `t12: 8-1 summary, kappa 192, cap all, T 0.6, draft=brief`."""
    names = _dimensions([trial])
    lead = [str(trial.params[n]) for n in names if n in ORDER[:3]]
    prompts = [n for n in names if n.startswith("prompt_") and trial.params[n] not in USUAL_PROMPTS]
    usual = trial.distributions.get("format")
    named = isinstance(usual, CategoricalDistribution) and trial.params["format"] != usual.choices[0]
    told = [n for n in names if n not in ORDER[:3] and not n.startswith("prompt_") and (n != "format" or named)]
    rest = [_choice(n, trial.params[n]) for n in told]
    said = " ".join(f"{n.removeprefix('prompt_')}={trial.params[n]}" for n in prompts)
    parts = [" ".join(lead), *rest, f"prompts {said}" if said else ""]
    return f"{short(trial)}: {', '.join(part for part in parts if part)}"


def _choice(name: str, value: Any) -> str:
    if name == "format":
        return str(value)
    return f"{'T' if name == 'temperature' else name} {cap_text(value) if name == 'cap' else value}"


def metrics(trial: FrozenTrial) -> Mapping[str, Any]:
    """What is kept of a trial's measurement."""
    found: Mapping[str, Any] = trial.user_attrs.get(METRICS, {})
    return found


def trial_dot(trial: FrozenTrial, title: str) -> Dot:
    """A trial in a plot of the search."""
    point = Point(*trial.values)
    low, high = metrics(trial).get("low", point.accuracy), metrics(trial).get("high", point.accuracy)
    return Dot(short(trial), title, point, low, high, baseline_of(trial) is not None)


def front_of(trials: Sequence[FrozenTrial], objectives: Objectives, cost: Cost) -> Drawing:
    """The search's Pareto plot against one of its costs."""
    name, heading = (
        front_name(FRONT, cost, objectives),
        f"the search's front: accuracy against {cost.replace('_', ' ')}",
    )
    if not trials:
        return Drawing(name, heading, "There is no trial yet that has seen all problems.", None)
    note = f"Every trial that has seen all of the search's problems and kept to the limits. {NOTE}"
    if len(objectives.costs) > 1:
        note += " Coloured as on the front is what no other beats in everything that is weighed."
    return Drawing(name, heading, note, pareto([trial_dot(t, label(t)) for t in trials], objectives, cost))


def parallel_coordinates(trials: Sequence[FrozenTrial], objectives: Objectives) -> Drawing:
    """Every trial as a line through its choices to its accuracy and its costs."""
    import plotly.graph_objects as go

    name, heading = "parallel_coordinates", "what was tried"
    if len(trials) < 2:
        return Drawing(name, heading, "Not drawn: there are fewer than two trials.", None)
    choices = {name: [t.params.get(name) for t in trials] for name in _dimensions(trials)}
    axes = [_axis(name, values) for name, values in choices.items() if len(set(values)) > 1]
    accuracy = [100 * t.values[0] for t in trials]
    axes += [
        {"label": "accuracy, %", "values": accuracy},
        *(
            {"label": f"{cost.replace('_', ' ')}, {objectives.unit(cost)}", "values": [t.values[place] for t in trials]}
            for place, cost in enumerate(objectives.costs, start=1)
        ),
    ]
    bar = {"title": {"text": "accuracy, %", "side": "right"}, "thickness": 12}
    line = {"color": accuracy, "colorscale": "Viridis", "showscale": True, "colorbar": bar}
    figure = go.Figure(
        go.Parcoords(
            line=line, dimensions=axes, labelangle=-25, labelside="top", tickfont={"size": 11, "color": "#222"}
        )
    )
    figure.update_layout(height=520, font={"color": "#222"}, margin={"l": 70, "r": 60, "t": 110, "b": 30})
    note = "Each line is a trial; drag along an axis to pick some. '-': the workflow has no such dimension."
    return Drawing(name, heading, note, figure)


def _dimensions(trials: Sequence[FrozenTrial]) -> list[str]:
    names = dict.fromkeys(name for t in trials for name in t.params)
    return sorted(names, key=lambda n: ORDER.index(n) if n in ORDER else len(ORDER))


def _axis(name: str, values: Sequence[Any]) -> dict[str, Any]:
    found = {v for v in values if v is not None}
    # A cap of 0 stands for all that the budget leaves: the largest there is.
    ordered = sorted(found, key=lambda v: float(v) or math.inf) if name in NUMBERS else sorted(found, key=str)
    ticks = [*(["-"] if None in values else []), *ordered]
    places = {v: i for i, v in enumerate(ticks)}
    return {
        "label": name,
        "values": [places["-" if v is None else v] for v in values],
        "tickvals": list(range(len(ticks))),
        "ticktext": [cap_text(t) if name == "cap" and t != "-" else drawn(str(t)) for t in ticks],
    }


def importance(trials: Sequence[FrozenTrial], objectives: Objectives) -> Drawing:
    """How much each dimension matters to accuracy and to each cost (Optuna's PED-ANOVA, shares of 1)."""
    import plotly.graph_objects as go

    name, heading = "importance", "what mattered"
    shares = {what.replace("_", " "): importances(trials, place) for place, what in enumerate(objectives.names)}
    if not any(shares.values()):
        note = (
            f"Not told: {len(trials)} trials have seen every problem; it takes {LEAST} with different choices to tell "
            "what mattered from what happened to be tried together."
        )
        return Drawing(name, heading, note, None)
    names = sorted(next(iter(shares.values())), key=lambda n: sum(found[n] for found in shares.values()))
    figure = go.Figure(
        [go.Bar(x=[found[n] for n in names], y=names, orientation="h", name=what) for what, found in shares.items()]
    )
    figure.update_layout(
        template="plotly_white",
        height=140 + 34 * len(names),
        margin={"l": 120, "r": 30, "t": 40, "b": 50},
        xaxis_title="share of the importance of all dimensions",
        yaxis={"dtick": 1},
        barmode="group",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    )
    note = (
        f"How far the choices of the best {QUANTILE:.0%} of the trials differ from those of all, in each "
        "objective (Optuna's PED-ANOVA). The search does not try choices evenly, so read it as a hint."
    )
    return Drawing(name, heading, note, figure)


def importances(trials: Sequence[FrozenTrial], place: int) -> dict[str, float]:
    """The dimensions' importance to an objective, by its place (accuracy is 0); {} where that can't be told."""
    names = [n for n in _dimensions(trials) if len({t.params[n] for t in trials if n in t.params}) > 1]
    if len(trials) < LEAST or not names:
        return {}
    up, down = optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE
    directions = [up if i == 0 else down for i in range(len(trials[0].values))]
    study = optuna.create_study(directions=directions)
    sign = -1 if place == 0 else 1
    study.add_trials(list(trials))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=QUANTILE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it reminds that low targets count as good, and that it is new
        found = optuna.importance.get_param_importances(
            study, evaluator=evaluator, params=names, target=lambda t: sign * t.values[place]
        )
    return {name: float(value) for name, value in found.items()}


def heat_map(trials: Sequence[FrozenTrial]) -> Drawing:
    """Which trial solves which problem."""
    import plotly.graph_objects as go

    name, heading = "heat_map", "who solves what"
    kept = [(t, t.user_attrs[SCORES]["accuracy"]) for t in trials if SCORES in t.user_attrs]
    if not kept:
        return Drawing(name, heading, "Not drawn: no trial has its results problem by problem.", None)
    kept.sort(key=lambda item: item[0].values[0])
    columns = list(zip(*(row for _, row in kept), strict=True))
    order = sorted(range(len(columns)), key=lambda i: -sum(columns[i]))
    figure = go.Figure(
        go.Heatmap(
            z=[[row[i] for i in order] for _, row in kept],
            y=[drawn(short(t)) for t, _ in kept],
            customdata=[[f"{drawn(label(t))}<br>problem {i + 1}" for i in order] for t, _ in kept],
            hovertemplate="%{customdata}: %{z:.0%}<extra></extra>",
            colorscale=[[0, "#eef3f8"], [1, "#08519c"]],
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "solved", "side": "right"}, "tickformat": ".0%", "thickness": 12},
        )
    )
    figure.update_layout(
        template="plotly_white",
        height=max(320, 100 + 18 * len(kept)),
        margin={"l": 90, "r": 30, "t": 40, "b": 50},
        xaxis={"title": "the search's problems, those that most trials solve first", "showticklabels": False},
        yaxis={"dtick": 1},
    )
    note = "Trials by accuracy, the best on top; problems by how many trials solve them. Dark is solved."
    return Drawing(name, heading, note, figure)
