"""A database that is away, slow or full, and workers that slept: what is under way goes on, and nothing is lost."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages._rdb import storage as rdb
from optuna.trial import TrialState
from search_support import Notes, measured

from optimize.engine import off_loop
from optimize.engine.loop import Search
from optimize.objectives.front import Point
from optimize.objectives.measurement import Measurement
from optimize.space.fitting import make_space
from optimize.study import database
from optimize.study.database import Database, unreachable
from optimize.study.heartbeat import Liveness
from optimize.study.stale_trials import fail
from optimize.study.storages import open_storage
from optimize.study.study import Study
from optimize.study.trials import Suggestion
from pdr_dspy.budget import parse_budget

SPACE = make_space(parse_budget("tokens=16k"), 2048)
Join = Callable[[str], Study]


class Refused(Exception):
    """What a driver raises that has no connection."""


Refused.__name__ = "OperationalError"


@pytest.fixture
def storage(empty: Path, tmp_path: Path) -> Database:
    """A database with a study of two objectives."""
    shutil.copy(empty, tmp_path / "x.db")
    opened = open_storage(f"sqlite:///{tmp_path / 'x.db'}", tmp_path, heartbeat=1)
    assert isinstance(opened, Database)
    return opened


@pytest.fixture
def join(storage: Database, tmp_path: Path) -> Iterator[Join]:
    """`join("a")` is worker a of a study."""
    joined: list[Study] = []

    def called(owner: str) -> Study:
        own = open_storage(f"sqlite:///{tmp_path / 'x.db'}", tmp_path, heartbeat=1)
        joined.append(Study(own, "s", SPACE, {}, seed=0, owner=owner))
        return joined[-1]

    yield called
    for study in joined:
        study.close()


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch, times: int, *, after_commit: bool = False) -> Iterator[list[int]]:
    """So many transactions fail: before anything is done, or when all is done and only the answer is lost."""
    begin, left = rdb._create_scoped_session, [times]

    @contextmanager
    def broken(*arguments: Any) -> Iterator[Any]:
        fails = left[0] > 0
        left[0] -= fails
        if not fails or after_commit:
            with begin(*arguments) as session:
                yield session
        if fails:
            raise StorageInternalError from sqlalchemy.exc.OperationalError("SELECT", {}, Refused("no connection"))

    with monkeypatch.context() as patch:
        patch.setattr(rdb, "_create_scoped_session", broken if after_commit else no_session(broken))
        patch.setattr(database, "AGAIN", 0.0)
        yield left


def no_session(broken: Callable[..., Any]) -> Callable[..., Any]:
    """As `broken`, but where it fails there is nothing to yield."""

    @contextmanager
    def called(*arguments: Any) -> Iterator[Any]:
        manager = broken(*arguments)
        try:
            session = manager.__enter__()
        except RuntimeError as error:  # the generator raised before it yielded
            raise error.__cause__ or error from None
        try:
            yield session
        except BaseException as error:
            if not manager.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            manager.__exit__(None, None, None)

    return called


def a_trial(storage: Database) -> tuple[optuna.Study, optuna.Trial]:
    study = optuna.create_study(storage=storage, study_name="t", directions=["maximize", "minimize"])
    return study, study.ask()


def test_a_database_that_is_away_is_waited_for_and_that_is_said_once(
    storage: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    study, trial = a_trial(storage)
    with failing(monkeypatch, 5) as left, caplog.at_level(logging.WARNING, "optimize"):
        trial.set_user_attr("x", 1)
        study.tell(trial, [0.5, 1.0])
        assert left == [0]
    assert study.trials[0].user_attrs == {"x": 1} and study.trials[0].values == [0.5, 1.0]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and "no connection" in said[0] and "answers again" in said[1]


def test_one_that_stays_away_ends_the_search_and_so_does_leaving(
    storage: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, trial = a_trial(storage)
    with failing(monkeypatch, 10**9) as left:
        monkeypatch.setattr(database, "PATIENCE", 0.0)
        with pytest.raises(StorageInternalError) as caught:
            trial.set_user_attr("x", 1)
        assert "does not answer any more" in str(unreachable(caught.value))
        monkeypatch.setattr(database, "PATIENCE", 1e9)
        storage.leave()
        before = left[0]
        with pytest.raises(StorageInternalError):
            trial.set_user_attr("x", 1)
        assert before - left[0] == 1


def test_what_was_done_though_its_answer_was_lost_is_done_once(
    storage: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, trial = a_trial(storage)
    with failing(monkeypatch, 1, after_commit=True) as left:
        assert storage.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, [0.5, 1.0])
        assert left == [0]
    assert study.trials[0].values == [0.5, 1.0]
    with pytest.raises(UpdateFinishedTrialError):  # said a second time it is somebody else's
        storage.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, [0.5, 1.0])
    other = study.ask()
    fail(storage, other._trial_id)
    with failing(monkeypatch, 1), pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_state_values(other._trial_id, TrialState.COMPLETE, [0.5, 1.0])


def test_a_full_disk_is_not_waited_for_and_is_told_as_one(storage: Database) -> None:
    _, trial = a_trial(storage)
    with storage.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    @sqlalchemy.event.listens_for(storage.engine, "connect")
    def full(connection: Any, record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    storage.engine.dispose()
    with pytest.raises(StorageInternalError) as caught:
        trial.set_user_attr("x", "x" * 100_000)
    told = str(unreachable(caught.value))
    assert "its disk is full" in told and "Free space there; the same command goes on" in told


def searching(study: Study, work: Callable[[Suggestion], Any]) -> Search:
    async def record(suggestion: Suggestion, result: Measurement) -> None:
        return None

    return Search(study, work, record, Notes(), 3, jobs=1)


async def test_what_is_under_way_goes_on_while_the_database_is_away(join: Join) -> None:
    study = join("a")
    back, looks, recover = threading.Event(), [0], study.recover

    def away() -> None:
        looks[0] += 1
        if looks[0] == 2:  # a trial is being measured
            assert back.wait(600)
        recover()

    study.recover = away  # type: ignore[method-assign]
    loop_was_free: list[int] = []

    async def work(suggestion: Suggestion) -> Measurement:
        while looks[0] < 2:
            await asyncio.sleep(0.01)
        loop_was_free.append(suggestion.number)
        back.set()
        return measured(0.5, 1.0)

    beside_it = searching(study, work)
    assert await beside_it.run(asyncio.Event()) == "complete"
    assert loop_was_free and len(study.complete) == 3


async def test_a_search_whose_database_hangs_can_be_stopped(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(off_loop, "LEAVING", 0.0)
    study = join("a")
    hangs, back, stop = threading.Event(), threading.Event(), asyncio.Event()

    def recover() -> None:
        hangs.set()
        back.wait(600)

    study.recover = recover  # type: ignore[method-assign]

    async def work(suggestion: Suggestion) -> Measurement:
        raise AssertionError("nothing is asked for")

    running = asyncio.ensure_future(searching(study, work).run(stop))
    assert await asyncio.to_thread(hangs.wait, 600)
    stop.set()
    assert await running == "stopped"
    back.set()


def test_a_worker_that_was_taken_for_dead_is_there_again(join: Join) -> None:
    a, b = join("a"), join("b")
    assert a.workers is not None and b.workers is not None
    me = a.workers._me
    assert me is not None
    fail(a._storage, me._trial_id)  # type: ignore[arg-type]
    assert a.workers.owner not in b.workers.others
    while not a._heartbeat.taken(me._trial_id):  # its next sign of life says so
        time.sleep(0.05)
    a.recover()
    assert a.workers.owner in b.workers.others
    trial = a.ask()
    a.tell(trial, Point(0.5, 1.0), overrun=-1.0, attrs={})
    assert len(b.complete) == 1


def test_silence_is_what_one_has_seen_oneself() -> None:
    clock = [0.0]
    silence = Liveness(180.0, 60.0, lambda: clock[0])
    assert silence.silent({1: 0, 2: 0}) == []
    clock[0] += 86_400.0  # this process was stopped for a day: that says nothing of the others
    assert silence.silent({1: 0, 2: 5}) == []
    clock[0] -= 3_600.0  # no clock does this, and if one does, nobody dies of it
    assert silence.silent({1: 0, 2: 5}) == []
    dead: list[int] = []
    for beat in range(20):
        clock[0] += 30.0
        dead = silence.silent({1: 0, 2: beat})
        assert 2 not in dead
    assert dead == [1]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.booleans()), max_size=60))
def test_who_beats_is_never_dead_and_who_does_not_is_after_enough_looks(looks: list[tuple[float, bool]]) -> None:
    clock, beats, heard = [0.0], 0, 0.0
    silence = Liveness(180.0, 60.0, lambda: clock[0])
    silence.silent({1: beats})
    for passed, beat in looks:
        clock[0] += passed
        beats += beat
        heard = 0.0 if beat else heard + min(60.0, passed)
        found = silence.silent({1: beats})
        assert not (found and heard < 179.9) and not (not found and heard > 180.1)


def test_a_waiting_trial_is_begun_by_one_worker(storage: Database, tmp_path: Path) -> None:
    other = open_storage(f"sqlite:///{tmp_path / 'x.db'}", tmp_path, heartbeat=1)
    study = optuna.create_study(storage=storage)._study_id
    waiting = optuna.trial.create_trial(state=TrialState.WAITING)
    trials = [storage.create_new_trial(study, waiting) for _ in range(40)]
    together = threading.Barrier(2)

    def begin(worker: optuna.storages.BaseStorage) -> list[bool]:
        begun = []
        for trial in trials:
            together.wait(60)
            begun.append(worker.set_trial_state_values(trial, TrialState.RUNNING))
        return begun

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(begin, (storage, other))
    assert [one + two for one, two in zip(first, second, strict=True)] == [1] * 40
    assert not storage.set_trial_state_values(trials[0], TrialState.RUNNING)
    assert storage.get_trial(trials[0]).datetime_start is not None
