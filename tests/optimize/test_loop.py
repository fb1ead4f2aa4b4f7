"""The search loop: order of completion, exhausted spaces, cancelled and failing trials."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from search_support import Notes, measured

from optimize.engine.entries import Entry, measure_all
from optimize.engine.loop import Ending, Search
from optimize.objectives.measurement import Measurement
from optimize.space.fitting import make_space
from optimize.space.shapes import STAGES, WHOLE
from optimize.space.space import Space
from optimize.study.storages import open_storage
from optimize.study.study import Study
from optimize.study.trials import Suggestion
from pdr_dspy.budget import parse_budget
from pdr_dspy.errors import EndpointError

BUDGET = parse_budget("tokens=16k")
WIDE = make_space(BUDGET, 2048)
ONE_POINT = Space(
    BUDGET, 2048, ("1",), (32,), (WHOLE,), temperatures=(1.0,), prompts=tuple((s, ("default",)) for s in STAGES)
)

Work = Callable[[Suggestion], Awaitable[Measurement]]


def opened(path: Path, space: Space = WIDE) -> Study:
    return Study(open_storage(None, path), "s", space, {}, seed=0, owner="here")


async def run(
    study: Study, work: Work, *, trials: int = 6, jobs: int = 2, seconds: float | None = None
) -> tuple[Ending, Notes]:
    async def record(suggestion: Suggestion, result: Measurement) -> None:
        return None

    notes = Notes()
    search = Search(study, work, record, notes, trials, jobs=jobs, seconds=seconds)
    return await search.run(asyncio.Event()), notes


async def quick(suggestion: Suggestion) -> Measurement:
    return measured(0.5, 1.0)


async def test_trials_are_told_in_the_order_they_end(tmp_path: Path) -> None:
    async def work(suggestion: Suggestion) -> Measurement:
        await asyncio.sleep(0.1 if suggestion.number == 0 else 0.01)
        return measured(0.5, 1.0)

    ending, notes = await run(opened(tmp_path), work)
    assert ending == "complete"
    assert len(notes.done) == 6 and notes.done[0] != 0 and 0 in notes.done


async def test_never_more_at_once_than_jobs(tmp_path: Path) -> None:
    now, most = 0, 0

    async def work(suggestion: Suggestion) -> Measurement:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return measured(0.5, 1.0)

    await run(opened(tmp_path), work, jobs=3)
    assert most == 3


async def test_a_space_without_new_points_ends_the_search(tmp_path: Path) -> None:
    study = opened(tmp_path, ONE_POINT)
    ending, notes = await run(study, quick)
    assert ending == "exhausted" and len(notes.begun) == len(study.complete) == 1


async def test_when_time_is_over_what_is_in_flight_is_asked_again(tmp_path: Path) -> None:
    async def work(suggestion: Suggestion) -> Measurement:
        await asyncio.sleep(0 if suggestion.number < 2 else 60)
        return measured(0.5, 1.0)

    ending, notes = await run(opened(tmp_path), work, seconds=1.5)
    assert ending == "timeout" and notes.done == [0, 1] and len(notes.lost) == 2
    _, again = await run(opened(tmp_path), quick)
    assert len(again.done) == 4


async def test_a_lost_endpoint_ends_the_search_and_loses_no_trial(tmp_path: Path) -> None:
    async def work(suggestion: Suggestion) -> Measurement:
        if suggestion.number == 3:
            raise EndpointError("endpoint", "gone", "Look at it")
        await asyncio.sleep(0.01)
        return measured(0.5, 1.0)

    with pytest.raises(EndpointError):
        await run(opened(tmp_path), work)
    study = opened(tmp_path)
    assert not any(t.state.name == "RUNNING" for t in study.trials)
    before = len(study.complete)
    _, notes = await run(study, quick)
    assert len(notes.done) == 6 - before


async def test_a_measurement_without_a_single_call_is_no_candidate(tmp_path: Path) -> None:
    async def work(suggestion: Suggestion) -> Measurement:
        return measured(0.0, 0.0, calls=0.0) if suggestion.number == 1 else measured(0.5, 1.0)

    study = opened(tmp_path)
    await run(study, work, trials=3)
    assert [t.number for t in study.feasible] == [0, 2]


async def test_a_report_is_whole_or_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    chosen = [Entry(name, candidate, None, baseline=True) for name, candidate in WIDE.baselines().items()]
    stop = asyncio.Event()

    async def slow_at_last(number: int, entry: Entry) -> Measurement:
        if number == 2:
            stop.set()
            await asyncio.sleep(60)
        return measured(0.5, 1.0)

    async def at_once(number: int, entry: Entry) -> Measurement:
        return measured(0.5, 1.0)

    async def record(entry: Entry, result: Measurement) -> None:
        return None

    assert await measure_all(chosen, slow_at_last, record, Notes(), stop, jobs=2) is None
    rows = await measure_all(chosen, at_once, record, Notes(), asyncio.Event(), jobs=2)
    assert rows is not None and [row.name for row in rows] == [entry.name for entry in chosen]
    gc.collect()
    assert "never retrieved" not in caplog.text
