"""Steps from the front: one dimension at a time, never to what is known, until all was tried."""

from __future__ import annotations

import random
from dataclasses import replace

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st

from optimize.engine.dry_run import RandomChoices
from optimize.objectives.front import Point
from optimize.space.fitting import make_space
from optimize.space.moves import ORDERED, fresh, move, neighbours, widths
from optimize.space.sampling import Sampling
from optimize.space.shapes import Params
from optimize.space.space import Fixed
from optimize.study.study import Study
from pdr_dspy.budget import parse_budget

SPACE = make_space(parse_budget("tokens=16k"), 2048)
SMALL = replace(SPACE, topologies=("1", "4-1"), distillers=("summary",), caps=SPACE.caps[:3], temperatures=(0.6, 1.0))
POINTS = st.integers(0, 10**6).map(lambda seed: SPACE.suggest(RandomChoices(random.Random(seed))).params)


@given(POINTS)
def test_a_neighbour_differs_in_one_dimension_and_what_comes_with_it(params: Params) -> None:
    dimensions = SPACE.dimensions()
    changed = set()
    for step in neighbours(SPACE, params):
        (name,) = (n for n in step.params.keys() & params.keys() if step.params[n] != params[n])
        changed.add(name)
        assert all(step.params[n] == dimensions[n][0] for n in step.params.keys() - params.keys())
        assert SPACE.candidate(step.params) == step
        if name in ORDERED:
            assert abs(dimensions[name].index(step.params[name]) - dimensions[name].index(params[name])) == 1
    assert changed == {name for name in params if len(dimensions[name]) > 1}


@settings(max_examples=15)
@given(st.lists(POINTS, min_size=1, max_size=2), st.integers(0, 99))
def test_moves_try_every_neighbour_once_and_end(members: list[Params], seed: int) -> None:
    source = random.Random(seed)
    known = {SPACE.candidate(params).key: params for params in members}
    around = {c.key for params in members for c in neighbours(SPACE, params)} - known.keys()
    tried: dict[str, Params] = {}
    while (step := move(SPACE, members, known | tried, source)) is not None:
        assert step.key in around - tried.keys()
        tried[step.key] = step.params
    assert tried.keys() == around


def test_drafts_that_were_drawn_cost_nothing_again() -> None:
    before = SPACE.plain("8-1")
    drawn = widths([before.params, SPACE.plain("1-1-1-1").params])
    drafts = before.plan.steps[0]
    assert fresh(before, {}) == before.plan.total_tokens
    assert fresh(before, drawn) == before.plan.total_tokens - 8 * drafts.caps.total
    wider = SPACE.plain("16-1")
    assert fresh(wider, drawn) == wider.plan.total_tokens - 8 * drafts.caps.total
    hotter = SPACE.suggest(Fixed({**before.params, "temperature": 1.0}))
    assert fresh(hotter, drawn) == hotter.plan.total_tokens


def test_drafts_of_another_format_are_other_drafts() -> None:
    space = make_space(parse_budget("tokens=16k"), 8192, formats=["plain", "json"])
    here = space.suggest(Fixed({"topology": "8-1", "distiller": "summary", "cap": space.caps[-1]}))
    steps = {c.params["format"]: c for c in neighbours(space, here.params) if c.params["topology"] == "8-1"}
    drawn = widths([here.params])
    assert set(steps) == {"plain", "json"}
    assert fresh(here, drawn) < fresh(steps["json"], drawn) == steps["json"].plan.total_tokens


def test_cheap_steps_are_drawn_more_often() -> None:
    front = SPACE.plain("8-1").params
    drawn = widths([front])
    costs = {c.key: fresh(c, drawn) for c in neighbours(SPACE, front)}
    picked = [move(SPACE, [front], {SPACE.candidate(front).key: front}, random.Random(i)) for i in range(400)]
    mean = sum(costs[step.key] for step in picked if step) / len(picked)
    assert mean < 0.8 * sum(costs.values()) / len(costs)


def test_without_a_front_there_is_no_move() -> None:
    assert move(SPACE, [], {}, random.Random(0)) is None


def searched(moves: float, count: int) -> Study:
    """A study in which the more drafts the better, and the slower."""
    study = Study(optuna.storages.InMemoryStorage(), "s", SMALL, {}, seed=0, owner="me", sampling=Sampling(moves=moves))
    while len(study.complete) < count:
        suggestion = study.ask()
        if suggestion.copy_of is not None:
            study.tell_copy(suggestion, suggestion.copy_of)
            continue
        quality = 0.9 if suggestion.candidate.params["topology"] == "4-1" else 0.5
        study.tell(suggestion, Point(quality, 1.0 + quality), overrun=-1.0, attrs={})
    return study


def test_a_search_steps_from_its_front_and_pays_nothing_twice() -> None:
    starters = [c.key for c in SMALL.starters().values()]
    keys = [t.user_attrs["key"] for t in searched(1.0, 12).trials]
    assert keys[: len(starters)] == starters and len(set(keys)) == len(keys) == 12
    study = searched(1.0, 12)
    assert [t.user_attrs["key"] for t in study.trials] == keys  # the seed decides
    front = [study.trials[0].params, next(t.params for t in study.trials if t.params["topology"] == "4-1")]
    around = {c.key for params in front for c in neighbours(SMALL, params)}
    assert set(keys[len(starters) :]) <= around
    assert not {t.user_attrs["key"] for t in searched(0.0, 12).trials} - set(starters) <= around


def test_where_all_neighbours_are_known_the_model_suggests() -> None:
    assert len(searched(1.0, 40).complete) == 40
