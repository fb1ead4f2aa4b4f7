"""The engine in a thread, on a pipeline that counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pdr_dspy.embedded.engine_thread import EngineThread
from pdr_dspy.embedded.jobs import Drawn, Job, Progress, Sampling


class Counter:
    """One sequence: 1, 2, 3, ..."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made = 0
        self.read_so_far = 0
        self.cancelled = False

    def read(self) -> Drawn:
        new, self.read_so_far = range(self.read_so_far + 1, self.made + 1), self.made
        return Drawn(list(new), "length" if self.made == self.most else None, [-0.5] * len(new))

    def cancel(self) -> None:
        self.cancelled = True


class Counting:
    """A pipeline that raises at a step."""

    logprobs = True

    def __init__(self, raise_at: int | None = None) -> None:
        self.counters: list[Counter] = []
        self.steps = 0
        self.raise_at = raise_at

    def add(self, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop_ids: frozenset[int]) -> Counter:
        self.counters.append(Counter(max_tokens))
        return self.counters[-1]

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.raise_at:
            raise MemoryError("all gone")
        for counter in self.counters:
            counter.made += not counter.cancelled and counter.made < counter.most


class Listener:
    """An engine and what it tells of job 0."""

    def __init__(self, pipeline: Counting) -> None:
        self.deaths = 0
        self.engine = EngineThread(pipeline, 4, 10**9, self.die)
        self.news: asyncio.Queue[Progress] = asyncio.Queue()

    def die(self) -> None:
        self.deaths += 1

    def submit(self, most: int) -> None:
        self.engine.listen(asyncio.get_running_loop())
        self.engine.submit(Job(0, (7,), Sampling(), most, eager=True), self.news.put_nowait)


async def test_progress_arrives_on_the_loop() -> None:
    listener = Listener(Counting())
    listener.submit(3)
    told = [await listener.news.get() for _ in range(3)]
    assert [progress.tokens for progress in told] == [(1,), (2,), (3,)]
    assert [progress.logprobs for progress in told] == [(-0.5,)] * 3
    assert told[-1].finish == "length" and listener.engine.in_flight == 0 and listener.engine.alive
    listener.engine.close()
    assert not listener.engine.alive and listener.deaths == 0


async def test_cancelled_job_ends() -> None:
    listener = Listener(Counting())
    listener.submit(10**9)
    await listener.news.get()
    listener.engine.cancel(0)
    while (last := await listener.news.get()).finish is None:
        pass
    assert last.finish == "abort" and listener.engine.in_flight == 0
    listener.engine.close()


async def test_closing_drops_what_runs() -> None:
    pipeline = Counting()
    listener = Listener(pipeline)
    listener.submit(10**9)
    await listener.news.get()
    listener.engine.close()
    assert pipeline.counters[0].cancelled and not listener.engine.alive and listener.engine.failure is None


async def test_a_pipeline_that_raises_ends_its_jobs() -> None:
    listener = Listener(Counting(raise_at=3))
    listener.submit(10)
    told = [await listener.news.get() for _ in range(3)]
    assert told[-1].finish == "error" and "all gone" in told[-1].detail
    assert listener.deaths == 1 and isinstance(listener.engine.failure, MemoryError)
    listener.engine.close()
