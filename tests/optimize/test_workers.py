"""Several workers on one study, in one process: nothing lost, nothing twice, one report. (PostgreSQL: test_cluster.)"""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import optuna
import pytest
from fakes.vllm import FakeVLLM
from optuna.samplers import PartialFixedSampler, RandomSampler
from optuna.storages._rdb import storage as rdb
from search_support import Command, Notes, Silent, measured

from optimize.engine import loop
from optimize.engine.loop import Ending, Search
from optimize.objectives.criteria import Objectives
from optimize.objectives.front import Point
from optimize.objectives.measurement import Measurement
from optimize.space.fitting import make_space
from optimize.study import storages
from optimize.study.claims import KEY, STARTED
from optimize.study.own_trials import TrialTaken
from optimize.study.storages import open_storage
from optimize.study.study import Study
from optimize.study.trials import Suggestion
from optimize.study.workers import Workers
from pdr_dspy.budget import parse_budget
from pdr_dspy.errors import InputError

SPACE = make_space(parse_budget("tokens=16k"), 2048)
Join = Callable[..., Study]


@pytest.fixture
def join(tmp_path: Path, empty: Path) -> Iterator[Join]:
    """`join("a")` is worker a of a study whose workers are lost after one to two seconds."""
    shutil.copy(empty, tmp_path / "x.db")
    joined: list[Study] = []

    def called(owner: str, fingerprint: dict[str, Any] | None = None, **more: Any) -> Study:
        storage = open_storage(f"sqlite:///{tmp_path / 'x.db'}", tmp_path, heartbeat=1)
        joined.append(Study(storage, "s", SPACE, fingerprint or {}, seed=0, owner=owner, **more))
        return joined[-1]

    yield called
    for study in joined:
        study.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lost is who is silent for a few seconds: fewer, and a busy machine would lose the living."""
    monkeypatch.setattr(storages, "GRACE", 3)
    monkeypatch.setattr(loop, "LOOK", 0.2)


def finish(study: Study, suggestion: Suggestion, accuracy: float = 0.5) -> None:
    study.tell(suggestion, Point(accuracy, 1.0), overrun=-1.0, attrs={})


def die(study: Study) -> None:
    """Give no sign of life any more, as a killed process."""
    study._heartbeat.stop()


def until_lost(study: Study, number: int) -> None:
    """Wait for the heartbeat to expire."""
    for _ in range(300):
        study.recover()
        if study.trials[number].state.name == "FAIL":
            return
        time.sleep(0.1)
    raise AssertionError("nobody noticed")


def test_a_living_workers_trial_is_left_alone_and_a_dead_ones_is_asked_for_once(join: Join) -> None:
    a, b, c = join("a"), join("b"), join("c")
    lives, lost = a.ask(), b.ask()
    die(b)
    until_lost(c, lost.number)
    assert a.trials[lives.number].state.name == "RUNNING"
    # Two notice it at the same instant: neither sees what the other enqueues.
    c._enqueue(lost.candidate.params, None, retry_of=lost.number)
    asked = [c.ask() for _ in range(len(SPACE.starters()) + 1)]
    assert [s.candidate.key for s in asked].count(lost.candidate.key) == 1
    assert lost.baseline in {s.baseline for s in asked}


def test_a_worker_killed_before_its_first_sign_of_life_loses_no_trial(join: Join) -> None:
    a, b = join("a"), join("b")
    nameless = a._study.ask()
    assert a._study.get_trials()[nameless.number].user_attrs.get("owner") is None
    until_lost(b, nameless.number)
    b.recover()
    assert [t.user_attrs.get("retry_of") for t in b.trials][-1] == nameless.number


def test_what_was_taken_for_lost_cannot_be_told_any_more(join: Join) -> None:
    a, b = join("a"), join("b")
    late = a.ask()
    die(a)
    until_lost(b, late.number)
    for call in (
        lambda: a.confirm(late),
        lambda: a.attach(late, "x", 1),
        lambda: finish(a, late),
        lambda: a.take(late, 99),
    ):
        with pytest.raises(TrialTaken):
            call()
    a.drop(late, interrupted=True)
    assert b.trials[late.number].state.name == "FAIL" and not b.complete


def test_of_two_with_one_point_one_goes_back(join: Join) -> None:
    a, b = join("a"), join("b")
    first = a.ask()
    a._enqueue(first.candidate.params, None, retry_of=999)
    while (second := b.ask()).candidate.key != first.candidate.key:
        assert b.take(second, 99)
    assert b.in_flight(second) == []  # the first has not started yet
    assert a.take(first, 99)
    assert b.in_flight(second)
    assert not b.take(second, 99)
    b.recover()
    assert not b.waiting  # the first one is certain to be measured
    finish(a, first)
    a._enqueue(first.candidate.params, None, retry_of=998)
    again = b.ask()
    assert again.copy_of is not None and again.copy_of.number == first.number


def test_the_last_place_goes_to_the_lower_number_and_what_was_queued_is_asked_for_again(join: Join) -> None:
    a, b = join("a"), join("b")
    first, second = a.ask(), b.ask()
    assert a.take(first, 1) and not b.take(second, 1)
    assert b.taken == 1
    b.recover()
    assert any(t.user_attrs.get("retry_of") == second.number for t in b.trials)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_what_was_lost_is_not_given_up_for_an_equal_one_that_goes_back(join: Join) -> None:
    a, b, c = join("a"), join("b"), join("c")
    for _ in SPACE.starters():
        begun = a.ask()
        assert a.take(begun, 99)
        finish(a, begun)
    places = len(a.complete) + 1
    lost = a.ask()
    assert a.take(lost, places)
    a._close(lost.trial, interrupted=True)
    # Another one suggests the same by chance, and says that it starts, before the lost one is asked for again.
    fixed = dict(lost.candidate.params)
    b._sampler = lambda: PartialFixedSampler(fixed, RandomSampler())  # type: ignore[method-assign]
    chance = b.ask()
    assert chance.candidate.key == lost.candidate.key and not b.in_flight(chance)
    chance.trial.set_user_attr(STARTED, True)
    c.recover()
    again = c.ask()
    assert again.candidate.key == lost.candidate.key
    c.make_way(again, c.in_flight(again))
    assert not b.take(chance, places)  # the place is the lost one's
    c.recover()
    at_last = c.ask()
    assert at_last.candidate.key == lost.candidate.key and c.take(at_last, places)
    # It is certain now: who comes with it from here on goes back for good.
    b._enqueue(lost.candidate.params, None, retry_of=999)
    late = b.ask()
    b.make_way(late, b.in_flight(late))
    b.recover()
    assert late.candidate.key == lost.candidate.key and not b.waiting


def test_workers_draw_different_points(join: Join) -> None:
    a, b = join("a"), join("b")
    for _ in SPACE.starters():
        a.take(a.ask(), 99)
    drawn = [(study.ask().candidate.key) for study in (a, b) for _ in range(4)]
    assert len(set(drawn)) > 4


def test_another_search_under_this_name_is_refused_even_at_the_same_instant(join: Join) -> None:
    a = join("a", {"budget": "tokens=16k"})
    a._study.set_user_attr("fingerprint", {"budget": "tokens=8k", "directions": ["maximize", "minimize"]})
    with pytest.raises(InputError, match="budget was tokens=16k, now tokens=8k"):
        join("b", {"budget": "tokens=8k"})


@pytest.mark.parametrize("at", range(1, 11))
def test_whatever_another_worker_does_while_one_joins_both_are_in(
    join: Join, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one has made the study and no more, and does the rest before any of the one's first transactions."""
    optuna.create_study(
        storage=open_storage(f"sqlite:///{tmp_path / 'x.db'}", tmp_path),
        study_name="s",
        directions=Objectives().directions,
    )
    begin, left = rdb._create_scoped_session, [at]

    def interrupted(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            join("b").ask()
        return begin(*arguments)

    monkeypatch.setattr(rdb, "_create_scoped_session", interrupted)
    a = join("a")
    assert left[0] < 0 and a.workers is not None and len(a.workers.others) == 1
    assert a.ask().number != a.trials[0].number


def test_the_last_to_leave_reports_and_who_comes_after_a_death_does(join: Join) -> None:
    a, b, c = (join(name).workers for name in "abc")
    assert a and b and c
    a.leave()
    turn = a.turn(lambda: pytest.fail("counted while others still search"))
    assert turn.whose == "theirs" and b.owner in turn.who and c.owner in turn.who
    b.leave()
    c.leave()
    assert b.turn(lambda: 4).whose == "mine"
    kept = len(b._study.get_trials())
    assert "reports" in c.turn(lambda: 4).who and len(b._study.get_trials()) == kept  # who waits asks often
    b.close()  # interrupted: the turn is given back
    assert c.turn(lambda: 4).whose == "mine"
    c.reported("there")
    assert a.turn(lambda: 4) == type(turn)("done", "there")
    assert a.turn(lambda: 5).whose == "mine"  # there is more to report on
    later = join("d").workers
    a.close()
    assert later is not None
    later.leave()
    assert later.turn(lambda: 4).whose == "mine"  # who asks again later is told again


def two_that_left(join: Join) -> tuple[Workers, Workers]:
    a, b = join("a").workers, join("b").workers
    assert a and b
    a.leave()
    b.leave()
    return a, b


def test_of_two_that_ask_for_the_turn_at_once_one_has_it(join: Join) -> None:
    a, b = two_that_left(join)

    def meanwhile() -> int:
        assert b.turn(lambda: 4).whose == "mine"
        return 4

    assert a.turn(meanwhile).who == f"{b.owner} reports"
    b.reported("there")
    assert a.turn(lambda: 5).whose == "mine"  # what was asked for in vain is in nobody's way


def test_a_report_that_comes_and_goes_while_the_turn_is_asked_for_is_not_made_again(join: Join) -> None:
    a, b = two_that_left(join)

    def meanwhile() -> int:
        assert b.turn(lambda: 4).whose == "mine"
        b.reported("there")
        return 4

    turn = a.turn(meanwhile)
    assert (turn.whose, turn.who) == ("done", "there")
    assert a.turn(lambda: 5).whose == "mine"  # what was asked for in vain is in nobody's way


def test_what_all_must_agree_on_is_decided_by_who_said_it_first(join: Join) -> None:
    a, b = join("a").workers, join("b").workers
    assert a and b
    b.state("run", "of b")
    a.state("run", "of a")
    a.state("other", 1)
    assert a.facts("run") == b.facts("run") == ["of b", "of a"]


def test_a_trial_of_a_worker_known_to_be_dead_is_not_waited_for(join: Join) -> None:
    a = join("a")
    lost = a.ask()
    b = join("b", ended=lambda owner: owner.endswith(":a"))
    assert b.trials[lost.number].state.name == "FAIL"


async def test_workers_share_the_trials_and_follow_one_that_dies(join: Join) -> None:
    keys: dict[str, list[str]] = {"a": [], "b": [], "dead": []}
    held = asyncio.Event()

    def searching(name: str) -> tuple[Study, asyncio.Task[Ending]]:
        study = join(name)

        async def work(suggestion: Suggestion) -> Measurement:
            keys[name].append(suggestion.candidate.key)
            if name == "dead":
                held.set()
                await asyncio.sleep(600)
            await asyncio.sleep(0.05)
            return measured(0.5, 1.0)

        async def record(suggestion: Suggestion, result: Measurement) -> None:
            return None

        search = Search(study, work, record, Notes(), 8, jobs=2)
        return study, asyncio.ensure_future(search.run(asyncio.Event()))

    corpse, doomed = searching("dead")
    await held.wait()
    die(corpse)
    (a, first), (b, second) = searching("a"), searching("b")
    assert await asyncio.wait_for(asyncio.gather(first, second), 60) == ["complete", "complete"]
    found = [t.user_attrs[KEY] for t in a.complete]
    assert len(found) == len(set(found)) == 8 and sorted(found) == sorted(keys["a"] + keys["b"])
    assert keys["a"] and keys["b"] and set(keys["dead"]) <= set(found)
    assert set(SPACE.baselines()) <= {t.user_attrs.get("start") for t in b.complete}
    doomed.cancel()
    await asyncio.gather(doomed, return_exceptions=True)
    assert len(a.complete) == 8


async def test_a_study_is_asked_one_thing_at_a_time(join: Join) -> None:
    async def never(suggestion: Suggestion) -> Measurement:
        raise AssertionError

    search = Search(join("a"), never, AsyncMock(), Notes(), 8)
    begun, go_on = threading.Event(), threading.Event()
    inside: list[int] = []
    seen: list[int] = []

    def first() -> None:
        inside.append(0)
        begun.set()
        go_on.wait(60)
        inside.remove(0)

    def later() -> None:
        seen.append(len(inside))

    left = asyncio.ensure_future(search.ask(first))
    assert await asyncio.to_thread(begun.wait, 60)
    left.cancel()  # nobody waits for it any more, and its thread goes on
    rest = asyncio.gather(*(search.ask(later) for _ in range(4)))
    await asyncio.sleep(0.1)  # time enough for one that does not wait its turn
    go_on.set()
    await rest
    assert seen == [0] * 4


def test_a_search_in_a_database_is_told_again_without_a_call(
    command: Command, model: FakeVLLM, data: Path, empty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(empty, tmp_path / "x.db")
    storage = ("--storage", f"sqlite:///{tmp_path / 'x.db'}?timeout=60")
    small = ("--budget", "tokens=4k", "--problems", 4, "--report-problems", 4, "--front", 1, "--study", "s")
    arguments = (*small, "--endpoint", model.url, "--data", data, "--trials", 2, *storage)
    killed = open_storage(storage[1], tmp_path)
    assert command("search", *arguments) == 0
    assert "the only one so far" in capsys.readouterr().err
    assert Silent.last is not None and len(Silent.last.runs) == 2 and Silent.last.closed[0][0] == "FINISHED"
    calls = len(model.calls)
    assert command("search", *arguments) == 0
    out, err = capsys.readouterr()
    assert "all replayed" in out and "winner: " in out and "still at it" not in err and len(model.calls) == calls
    assert {s.study_name for s in killed.get_all_studies()} == {"s", "s (workers)"}
