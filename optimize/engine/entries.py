"""After the search: which workflows go into the report, and their numbers on problems the search never saw.

Everything is chosen by what the search measured on its own problems; the report only says how that choice did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optimize.engine.loop import Watcher
from optimize.objectives.front import Title, front, spread, titles
from optimize.objectives.loads import pooled
from optimize.objectives.measurement import Measurement
from optimize.reporting.report import Row
from optimize.space.space import Candidate, Space
from optimize.space.title import title
from optimize.study.claims import KEY
from optimize.study.study import Study
from optimize.study.trials import METRICS, TRACKED
from pdr_dspy.workflow import dump_workflow


@dataclass(frozen=True)
class Entry:
    """A workflow that goes into the report.

    Attributes:
        name: `t12`, or a baseline's name.
        candidate: The workflow.
        searched: What it did in the search, or None for a baseline the search did not come to.
        baseline, member: What it is.
        titles: What it won.
        run: Its MLflow run, or "".
    """

    name: str
    candidate: Candidate
    searched: Measurement | None
    baseline: bool = False
    member: bool = False
    titles: tuple[Title, ...] = ()
    run: str = ""


def entries(study: Study, space: Space, most: int) -> list[Entry]:
    """The search's front (at most `most` of it), its winners and the baselines, the front first."""
    trials = study.feasible
    points = [study.point(t) for t in trials]
    whole = front(points) if trials else []
    won = titles(points, whole)
    members = {*spread(points, whole, most), *won.values()} if trials else set()
    baselines = space.baselines()
    names = {candidate.key: name for name, candidate in baselines.items()}
    found: dict[str, Entry] = {}
    for i, trial in enumerate(trials):
        baseline = names.get(trial.user_attrs[KEY])
        if i not in members and baseline is None:
            continue
        entry = Entry(
            name=baseline or f"t{trial.number}",
            candidate=space.candidate(trial.params),
            searched=Measurement.from_dict(trial.user_attrs[METRICS]),
            baseline=baseline is not None,
            member=i in members,
            titles=tuple(title for title, place in won.items() if place == i),
            run=trial.user_attrs.get(TRACKED, ""),
        )
        found.setdefault(entry.name, entry)
    for name, candidate in baselines.items():
        found.setdefault(name, Entry(name, candidate, None, baseline=True))
    return sorted(found.values(), key=lambda e: (not e.member, e.name))


Measure = Callable[[int, Entry], Awaitable[Measurement]]
Record = Callable[[Entry, Measurement], Awaitable[None]]


async def measure_all(
    chosen: list[Entry], measure: Measure, record: Record, watcher: Watcher, stop: asyncio.Event, *, jobs: int
) -> list[Row] | None:
    """Measure every entry, a few at a time as in the search; None if `stop` was set before the end.

    Raises:
        EndpointError: the endpoint is gone.
    """
    room = asyncio.Semaphore(jobs)

    async def one(number: int, entry: Entry) -> Row:
        async with room:
            watcher.started(number, _title(entry))
            measured = await measure(number, entry)
            await record(entry, measured)
            watcher.ended(number, measured)
            return to_row(entry, measured)

    tasks = [asyncio.ensure_future(one(i, entry)) for i, entry in enumerate(chosen)]
    stopping = asyncio.ensure_future(stop.wait())
    waiting: set[asyncio.Future[Any]] = {*tasks}
    try:
        while waiting and not stop.is_set():
            done, _ = await asyncio.wait({*waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done & waiting:
                task.result()  # what one raises ends all of them
            waiting -= done
        return None if waiting else [task.result() for task in tasks]
    finally:
        stopping.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def over_loads(found: Mapping[int, Sequence[Row]]) -> list[Row]:
    """Rows of the same workflows at several loads as one row each: see `loads.pooled`."""
    rows = []
    for same in zip(*found.values(), strict=True):
        measured, took = pooled({load: row.measured for load, row in zip(found, same, strict=True)})
        rows.append(replace(same[0], measured=measured, loads=took))
    return rows


def earned(rows: Sequence[Row]) -> list[Row]:
    """Rows without the titles of those that got nothing right on the report's problems."""
    return [row if row.measured.accuracy else replace(row, titles=()) for row in rows]


def to_row(entry: Entry, measured: Measurement) -> Row:
    """An entry with its numbers, as a row of the table."""
    return Row(
        name=entry.name,
        title=title(entry.candidate),
        workflow=dump_workflow(entry.candidate.workflow),
        measured=measured,
        searched=entry.searched,
        baseline=entry.baseline,
        member=entry.member,
        titles=entry.titles,
    )


def _title(entry: Entry) -> str:
    return title(entry.candidate, entry.name)
