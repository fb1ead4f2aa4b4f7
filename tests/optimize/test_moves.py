"""Steps from the front: one dimension at a time, never to what is known, until all was tried."""

from __future__ import annotations

import random
from dataclasses import replace

import optuna
from hypothesis import given, settings
from hypothesis import strategies as st

from optimize.points.fitting import make_space
from optimize.points.moves import ORDERED, move, neighbours
from optimize.points.sampling import Sampling
from optimize.points.shapes import Params
from optimize.searching.dry import Dice
from optimize.studies.study import Study
from optimize.weighing.front import Point
from pdr_dspy.budget import parse_budget

SPACE = make_space(parse_budget("tokens=16k"), 2048)
SMALL = replace(SPACE, topologies=("1", "4-1"), distillers=("summary",), caps=SPACE.caps[:3], temperatures=(0.6, 1.0))
POINTS = st.integers(0, 10**6).map(lambda seed: SPACE.suggest(Dice(random.Random(seed))).params)


@given(POINTS)
def test_a_neighbour_differs_in_one_dimension_and_what_comes_with_it(params: Params) -> None:
    dimensions = SPACE.dimensions()
    found = neighbours(SPACE, params)
    assert set(found) == set(params)
    for name, steps in found.items():
        for step in steps:
            shared = step.params.keys() & params.keys()
            assert [n for n in shared if step.params[n] != params[n]] == [name]
            assert all(step.params[n] == dimensions[n][0] for n in step.params.keys() - params.keys())
            assert SPACE.candidate(step.params) == step
        if name in ORDERED:
            at = dimensions[name].index(params[name])
            assert all(abs(dimensions[name].index(step.params[name]) - at) == 1 for step in steps)


@settings(max_examples=15)
@given(st.lists(POINTS, min_size=1, max_size=2), st.integers(0, 99))
def test_moves_try_every_neighbour_once_and_end(members: list[Params], seed: int) -> None:
    source = random.Random(seed)
    known = {SPACE.candidate(params).key for params in members}
    around = {c.key for params in members for steps in neighbours(SPACE, params).values() for c in steps} - known
    tried: set[str] = set()
    while (step := move(SPACE, members, known | tried, source)) is not None:
        assert step.key in around - tried
        tried.add(step.key)
    assert tried == around


def test_without_a_front_there_is_no_move() -> None:
    assert move(SPACE, [], set(), random.Random(0)) is None


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
    around = {c.key for params in front for steps in neighbours(SMALL, params).values() for c in steps}
    assert set(keys[len(starters) :]) <= around
    assert not {t.user_attrs["key"] for t in searched(0.0, 12).trials} - set(starters) <= around


def test_where_all_neighbours_are_known_the_model_suggests() -> None:
    assert len(searched(1.0, 40).complete) == 40
