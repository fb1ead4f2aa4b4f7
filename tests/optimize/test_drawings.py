"""What a study's trials are drawn as: from stored trials, each figure in an HTML document of its own."""

from __future__ import annotations

import json
import math
import random
import re
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, create_trial

from optimize.objectives.criteria import Objectives
from optimize.reporting.drawings import LEAST, Drawing, drawings, importances, label
from optimize.reporting.html import document, figure_box
from optimize.study.stale_trials import START
from optimize.study.trials import METRICS, SCORES

SPACE: dict[str, Any] = {
    "topology": CategoricalDistribution(["1", "8-1", "16-4-1"]),
    "cap": CategoricalDistribution([0, 1000, 250]),
    "prompt_draft": CategoricalDistribution(["default", "brief"]),
    "distiller": CategoricalDistribution(["summary", "answers"]),
}
DICE = random.Random(7)


def trial(number: int) -> FrozenTrial:
    """A trial whose accuracy its topology decides; one call alone has no distiller."""
    params = {name: DICE.choice(d.choices) for name, d in SPACE.items()}
    if params["topology"] == "1":
        del params["distiller"]
    accuracy = {"1": 0.25, "8-1": 0.5, "16-4-1": 0.75}[params["topology"]] + DICE.random() / 100
    latency = {0: 3.0, 1000: 2.0, 250: 1.0}[params["cap"]] + DICE.random() / 100
    attrs = {
        METRICS: {"low": accuracy - 0.1, "high": accuracy + 0.1},
        SCORES: {"accuracy": [float(DICE.random() < accuracy) for _ in range(8)], "latency": [1.0] * 8},
        **({START: "long_cot"} if number == 0 else {}),
    }
    made = create_trial(
        params=params,
        distributions={name: SPACE[name] for name in params},
        values=[accuracy, latency],
        user_attrs=attrs,
    )
    made.number = number
    return made


MANY = [trial(i) for i in range(40)]


def named(trials: list[FrozenTrial]) -> dict[str, Drawing]:
    return {d.name: d for d in drawings(trials, Objectives())}


def test_every_figure_is_a_document_of_its_own() -> None:
    found = named(MANY)
    assert list(found) == ["pareto_search", "parallel_coordinates", "importance", "heat_map"]
    for drawing in found.values():
        sheet = drawing.as_sheet("mine")
        assert "http" not in re.sub(r'<script type="text/plain".*?</script>', "", sheet)
        assert "src=" not in sheet and "href=" not in sheet and len(sheet) < 2_500_000
        (data,) = re.findall(r'<div class="figure"><script type="application/json">(.*?)</script>', sheet)
        assert json.loads(data)["data"]


def test_what_decides_accuracy_and_what_decides_latency_are_told_apart() -> None:
    accuracy, latency = importances(MANY, 0), importances(MANY, 1)
    assert max(accuracy, key=lambda n: accuracy[n]) == "topology"
    assert max(latency, key=lambda n: latency[n]) == "cap"
    assert set(accuracy) == set(SPACE)  # the distiller too, which not every workflow has
    for shares in (accuracy, latency):
        assert math.fsum(shares.values()) == pytest.approx(1)


def test_too_few_trials_tell_no_importance_and_say_so() -> None:
    few = named(MANY[: LEAST - 1])["importance"]
    assert few.figure is None and f"{LEAST - 1} trials" in few.note and str(LEAST) in few.note
    assert few.note in few.as_sheet("mine")
    assert named(MANY[:LEAST])["importance"].figure is not None
    assert [d.figure for d in named([]).values()] == [None] * 4


def test_a_dimension_a_workflow_does_not_have_is_a_place_on_its_axis() -> None:
    axes = named(MANY)["parallel_coordinates"].figure.data[0].dimensions
    assert [a.label for a in axes][:3] == ["topology", "distiller", "cap"]
    ticks = {a.label: a.ticktext for a in axes}
    assert ticks["distiller"] == ("-", "answers", "summary") and ticks["cap"] == ("250", "1000", "all")


def test_the_best_trial_is_on_top_of_the_heat_map() -> None:
    best = max(MANY, key=lambda t: t.values[0])
    assert named(MANY)["heat_map"].figure.data[0].y[-1] == f"t{best.number}"


def test_a_trial_in_a_line() -> None:
    params = {"prompt_draft": "brief", "cap": 0, "topology": "8-1", "distiller": "summary"}
    made = create_trial(params=params, distributions=SPACE, values=[0.5, 1.0])
    made.number = 3
    assert label(made) == "t3: 8-1 summary, cap all, prompts draft=brief"
    assert label(MANY[0]).startswith("long_cot: ")


def test_a_trial_names_a_format_that_the_search_does_not_begin_with() -> None:
    formats = {**SPACE, "format": CategoricalDistribution(["plain", "json"])}
    for chosen, named in (("plain", "t3: 8-1, cap all"), ("json", "t3: 8-1, cap all, json")):
        params = {"cap": 0, "topology": "8-1", "format": chosen}
        made = create_trial(params=params, distributions={n: formats[n] for n in params}, values=[0.5, 1.0])
        made.number = 3
        assert label(made) == named


def test_no_text_ends_the_element_that_holds_a_figure() -> None:
    import plotly.graph_objects as go

    page = document("<b>", [figure_box(go.Figure(go.Scatter(x=[1], y=[1], text=["</script><script>alert(1)"])))])
    assert "<script>alert" not in page and "<title>&lt;b&gt;</title>" in page


def test_optuna_warns_nobody(recwarn: pytest.WarningsRecorder) -> None:
    importances(MANY, 1)
    assert not [w for w in recwarn if issubclass(w.category, optuna.exceptions.ExperimentalWarning)]
