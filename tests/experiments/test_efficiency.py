"""What the search saves: the grid is enumerated whole, tokens are charged right, and every contender gets there."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.efficiency.figure import as_chart, as_markdown, ratio, tokens_to
from experiments.efficiency.first_front import first_useful
from experiments.efficiency.grid import GRID, grid_budget, grid_prompts, points
from experiments.efficiency.hypervolume import hypervolume
from experiments.efficiency.outcomes import Outcome, Outcomes
from experiments.efficiency.replay import CONTENDERS, Grid, Step, Till, race
from optimize.objectives.front import Point, front
from optimize.space.shapes import WHOLE, parse_topology
from optimize.space.space import Candidate, Space
from optimize.study.stale_trials import START

PROBLEMS = 16


def small_space() -> Space:
    choices = {**GRID, "topologies": ("1", "4-1", "8-1", "8-vote"), "caps": (WHOLE, 512, 256)}
    return Space(budget=grid_budget(), context=2048, prompts=grid_prompts("reasoner"), **choices)  # type: ignore[arg-type]


def draw(*what: object) -> float:
    """A number in [0, 1) that depends on nothing but `what`."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:6], "big") / 2**48


def made_up(candidate: Candidate) -> list[Outcome]:
    """Wider is better and longer is slower; drafts are shared by equal prompt and cap, the rest is the point's own."""
    params = candidate.params
    widths, close = parse_topology(str(params["topology"]))
    cap = int(params["cap"]) or 1024
    skill = 0.15 + 0.2 * len(widths) + 0.03 * widths[0] + cap / 4000 + 0.05 * (params["prompt_draft"] == "default")
    found = []
    for problem in range(PROBLEMS):
        drafts = {f"{cap}{params['prompt_draft']}{problem}.{i}": cap // 2 for i in range(widths[0])}
        calls = {**drafts, f"{candidate.key}{problem}": 100} if len(widths) > 1 else drafts
        path = cap // 2 + (100 if len(widths) > 1 else 0) + (0 if close == "single" else 1)
        found.append(Outcome(str(problem), draw(candidate.key, problem) < skill, None, path, calls))
    return found


@pytest.fixture(scope="module")
def grid() -> Grid:
    space = small_space()
    return Grid(space, {c.key: made_up(c) for c in points(space)})


def test_the_grid_has_every_point_once() -> None:
    found = list(points(small_space()))
    assert len({c.key for c in found}) == len(found)
    counts = {label: sum(c.params["topology"] == label for c in found) for label in ("1", "4-1", "8-1", "8-vote")}
    # caps x draft prompts; with a distiller also kappas x refine prompts x distillers.
    assert counts == {"1": 6, "8-vote": 6, "4-1": 48, "8-1": 48}


def test_the_starters_are_points_of_the_grid() -> None:
    from experiments.efficiency.grid import grid_space

    space = grid_space(2048, "reasoner")
    assert {c.key for c in space.starters().values()} <= {c.key for c in points(space)}


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(1.0, 100.0)), min_size=1, max_size=12))
def test_the_hypervolume_is_the_area_that_something_dominates(raw: list[tuple[float, float]]) -> None:
    found = [Point(*p) for p in raw]
    worst = 100.0
    area = hypervolume(found, worst)
    # By strips between neighbouring latencies: the best accuracy that is had by then.
    ends = sorted({p.cost for p in found} | {worst})
    strips = pairwise(ends)
    by_hand = sum((b - a) * max(p.accuracy for p in found if p.cost <= a) for a, b in strips)
    assert area == pytest.approx(by_hand)
    assert area == pytest.approx(hypervolume([found[i] for i in front(found)], worst))


def test_a_bank_pays_for_a_call_once() -> None:
    first = Outcome("p", True, None, 10, {"draft": 10, "a": 5})
    second = Outcome("p", True, None, 10, {"draft": 10, "b": 7})
    with_bank, without = Till(bank=True), Till(bank=False)
    for till in (with_bank, without):
        till.charge([first])
        till.charge([second])
    assert (with_bank.spent, without.spent) == (22, 32)


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda c: c.name)
def test_every_contender_finds_the_front_and_pays_for_it(grid: Grid, contender: object) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    steps = race(grid, contender, 3, wanted=0.9)  # type: ignore[arg-type]
    assert steps[-1].share >= 0.9
    assert all(a.tokens <= b.tokens and a.share <= b.share for a, b in pairwise(steps))
    whole = grid.tokens(bank=contender.bank)  # type: ignore[attr-defined]
    assert 0 < steps[-1].tokens <= whole


def test_the_bank_alone_saves_tokens_and_changes_nothing_else(grid: Grid) -> None:
    by_name = {c.name: c for c in CONTENDERS}
    with_bank = race(grid, by_name["pdr-dspy"], 1, wanted=0.9)
    without = race(grid, by_name["pdr-dspy without bank"], 1, wanted=0.9)
    assert [s.share for s in with_bank] == [s.share for s in without]
    assert with_bank[-1].tokens < without[-1].tokens


def test_tokens_to_a_share_and_their_ratio() -> None:
    steps = [Step(10, 0.2), Step(30, 0.6), Step(70, 0.97)]
    assert [tokens_to(steps, s) for s in (0.1, 0.6, 0.95, 0.99)] == [10, 30, 70, float("inf")]
    times, interval = ratio([100.0, 120.0, 80.0], [10.0, 10.0, 10.0])
    assert times == 10 and interval.low >= 8 and interval.high <= 12


def test_the_table_and_the_chart_have_every_contender(grid: Grid) -> None:
    runs = {"pdr-dspy": [[Step(10, 0.97)], [Step(12, 0.96)]], "rival": [[Step(50, 0.5), Step(99, 0.99)]] * 2}
    text = as_markdown(runs, 0.95)
    assert "| rival | 99 | 99-99 | 2 | 9.0 [8.2-9.9] | 99 |" in text
    assert [s.name for s in as_chart(runs, "n", "t").panels[0].series] == list(runs)


def test_a_search_that_never_gets_there_is_said_to(grid: Grid) -> None:
    runs = {"pdr-dspy": [[Step(10, 0.97)]] * 3, "rival": [[Step(50, 0.5)], [Step(50, 0.96)], [Step(60, 0.4)]]}
    assert "| rival | never | 1 of 3 got there | - | - | never |" in as_markdown(runs, 0.95)


def test_outcomes_survive_a_torn_line_and_keep_settings_apart(tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl"
    kept = Outcomes(path, {"seed": 0})
    kept.add("a", [Outcome("p", True, None, 3, {"c": 4})])
    file = next(tmp_path.glob("o-*.jsonl"))
    file.write_text(file.read_text() + json.dumps({"key": "b"})[:5])
    again = Outcomes(path, {"seed": 0})
    assert list(again.known) == ["a"] and fmean(o.tokens for o in again.known["a"]) == 4
    again.add("b", [Outcome("p", False, "truncated", 3, {})])
    assert set(Outcomes(path, {"seed": 0}).known) == {"a", "b"}
    assert Outcomes(path, {"seed": 1}).known == {}


def test_a_front_is_useful_once_it_beats_a_baseline() -> None:
    def trial(number: int, accuracy: float, latency: float, start: str | None = None) -> optuna.trial.FrozenTrial:
        return optuna.trial.create_trial(
            state=optuna.trial.TrialState.COMPLETE,
            values=[accuracy, latency],
            user_attrs={START: start} if start else {},
        )

    base = trial(0, 0.5, 2.0, "long_cot")
    worse, slower, better = trial(1, 0.4, 1.0), trial(2, 0.9, 3.0), trial(3, 0.6, 1.5)
    assert better.datetime_complete is not None and isinstance(better.datetime_complete, datetime)
    assert first_useful([base, worse, slower]) is None
    found = first_useful([base, worse, slower, better])
    assert found is not None and found[0] == 3 and "60 % at 1.50 s; long_cot 50 % at 2.00 s" in found[1]
