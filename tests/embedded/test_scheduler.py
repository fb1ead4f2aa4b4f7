"""The queue and the thinking cap, on a pipeline that plays scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.embedded.jobs import Cancel, Drawn, Finish, Job, Progress, Sampling, ThinkingCap, ThinkTokens
from pdr_dspy.embedded.scheduler import Scheduler
from pdr_dspy.embedded.worker import work

THINK = ThinkTokens(start=100, end=101)
END = 1
Script = Callable[[Sequence[int], int], int]


class FakeStream:
    scored = False

    def __init__(self, script: Script, prompt: Sequence[int], sampling: Sampling, room: int, stops: frozenset[int]):
        self.script, self.prompt, self.sampling, self.room, self.stops = script, tuple(prompt), sampling, room, stops
        self.made: list[int] = []
        self.unread: list[int] = []
        self.finish: Finish | None = None
        self.cancelled = False

    def tick(self) -> None:
        if self.finish or self.cancelled:
            return
        token = self.script((*self.prompt, *self.made), self.sampling.seed)
        self.made.append(token)
        self.unread.append(token)
        if token in self.stops:
            self.finish = "stop"
        elif len(self.made) == self.room:
            self.finish = "length"

    def read(self) -> Drawn:
        new, self.unread = self.unread, []
        return Drawn(new, self.finish, [-float(token) for token in new] if self.scored else ())

    def cancel(self) -> None:
        self.cancelled = True


class FakePipeline:
    def __init__(self, script: Script, *, logprobs: bool = False) -> None:
        self.script = script
        self.logprobs = logprobs
        self.streams: list[FakeStream] = []

    def add(self, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop_ids: frozenset[int]) -> FakeStream:
        assert max_tokens >= 1
        self.streams.append(FakeStream(self.script, prompt, sampling, max_tokens, stop_ids))
        self.streams[-1].scored = self.logprobs
        return self.streams[-1]

    def step(self) -> None:
        for stream in self.streams:
            stream.tick()

    @property
    def live(self) -> int:
        return sum(not s.cancelled and s.finish is None for s in self.streams)


def job(number: int = 0, *, max_tokens: int = 8, cap: ThinkingCap | None = None, eager: bool = False) -> Job:
    return Job(number, (7, 8), Sampling(seed=5), max_tokens, frozenset({END}), cap, eager)


def step(scheduler: Scheduler) -> list[Progress]:
    """News of one step, without the notes that a job now runs."""
    return [progress for progress in scheduler.step() if progress.tokens or progress.finish]


def drain(scheduler: Scheduler, limit: int = 1000) -> list[Progress]:
    news: list[Progress] = []
    while not scheduler.idle:
        news += step(scheduler)
        limit -= 1
        assert limit, "the scheduler does not come to an end"
    return news


def tokens(news: Sequence[Progress], number: int = 0) -> list[int]:
    return [token for progress in news if progress.id == number for token in progress.tokens]


def test_quiet_job_reports_first_token_and_the_rest() -> None:
    scheduler = Scheduler(FakePipeline(lambda seen, seed: 50), 4, kv_blocks=1000)
    scheduler.accept(job(max_tokens=5))
    news = drain(scheduler)
    assert [len(p.tokens) for p in news] == [1, 4]
    assert [p.finish for p in news] == [None, "length"]


def test_eager_job_reports_each_token() -> None:
    scheduler = Scheduler(FakePipeline(lambda seen, seed: 50), 4, kv_blocks=1000)
    scheduler.accept(job(max_tokens=5, eager=True))
    assert [len(p.tokens) for p in drain(scheduler)] == [1] * 5


def test_jobs_wait_for_slots_in_order() -> None:
    pipeline = FakePipeline(lambda seen, seed: 50)
    scheduler = Scheduler(pipeline, 2, kv_blocks=1000)
    for number in range(5):
        scheduler.accept(job(number, max_tokens=2))
    ends: list[int] = []
    while not scheduler.idle:
        news = step(scheduler)
        assert pipeline.live <= 2
        ends += [p.id for p in news if p.finish]
    assert ends == [0, 1, 2, 3, 4]


def test_cancel_of_a_waiting_a_running_and_an_ended_job() -> None:
    pipeline = FakePipeline(lambda seen, seed: 50)
    scheduler = Scheduler(pipeline, 1, kv_blocks=1000)
    scheduler.accept(job(0, max_tokens=50))
    scheduler.accept(job(1))
    news = step(scheduler) + step(scheduler)
    for number in (1, 0, 0, 99):
        scheduler.accept(Cancel(number))
    news += drain(scheduler)
    assert [(p.id, p.finish) for p in news if p.finish] == [(1, "abort"), (0, "abort")]
    assert len(tokens(news, 0)) == 2, "the tokens generated before the cancel are reported"
    assert pipeline.streams[0].cancelled and len(pipeline.streams) == 1


def test_jobs_wait_for_room_in_the_cache() -> None:
    pipeline = FakePipeline(lambda seen, seed: 50)
    scheduler = Scheduler(pipeline, 8, kv_blocks=5)
    for number in range(4):
        scheduler.accept(job(number, max_tokens=30))  # 32 tokens with the prompt: one block, and one to spare
    started = [progress.id for progress in scheduler.step() if not progress.tokens]
    assert started == [0, 1] and pipeline.live == 2
    scheduler.accept(Cancel(0))
    assert [p.id for p in scheduler.step() if not p.finish] == [], "what was cancelled is freed by this step"
    assert [p.id for p in scheduler.step() if not p.tokens] == [2]
    assert {p.id for p in drain(scheduler) if p.finish == "length"} == {1, 2, 3}


def test_thinking_is_closed_at_the_cap_and_generation_goes_on() -> None:
    pipeline = FakePipeline(lambda seen, seed: 100 if len(seen) == 2 else 50)  # opens, never closes
    scheduler = Scheduler(pipeline, 1, kv_blocks=1000)
    scheduler.accept(job(max_tokens=10, cap=ThinkingCap(THINK, 3)))
    news = drain(scheduler)
    assert tokens(news) == [100, 50, 50, 50, 101, 50, 50, 50, 50, 50]
    first, second = pipeline.streams
    assert first.cancelled and len(first.made) == 4, "not a token is generated beyond the cap"
    assert second.prompt == (7, 8, 100, 50, 50, 50, 101)
    assert first.sampling.seed == 5 and second.sampling.seed != 5
    assert news[-1].finish == "length"


def test_logprobs_stand_beside_their_tokens_and_a_forced_token_has_none() -> None:
    pipeline = FakePipeline(lambda seen, seed: 100 if len(seen) == 2 else 50, logprobs=True)
    scheduler = Scheduler(pipeline, 1, kv_blocks=1000)
    scheduler.accept(job(max_tokens=7, cap=ThinkingCap(THINK, 3)))
    news = drain(scheduler)
    logprobs = [logprob for progress in news for logprob in progress.logprobs]
    assert all(len(progress.logprobs) == len(progress.tokens) for progress in news)
    assert logprobs == [-100, -50, -50, -50, 0.0, -50, -50]


def test_pipeline_without_logprobs_has_none_for_forced_tokens_either() -> None:
    scheduler = Scheduler(FakePipeline(lambda seen, seed: 50), 1, kv_blocks=1000)
    scheduler.accept(job(max_tokens=3, cap=ThinkingCap(THINK, 0, open_at_start=True)))
    assert all(progress.logprobs == () for progress in drain(scheduler))


def test_thinking_that_closes_itself_is_left_alone() -> None:
    script = [100, 50, 50, 101, 60, 60, 60, 60, END]
    pipeline = FakePipeline(lambda seen, seed: script[len(seen) - 2])
    scheduler = Scheduler(pipeline, 1, kv_blocks=1000)
    scheduler.accept(job(max_tokens=20, cap=ThinkingCap(THINK, 2 + 1)))
    news = drain(scheduler)
    assert tokens(news) == script and news[-1].finish == "stop"
    assert len(pipeline.streams) == 1


def test_completion_without_thinking_has_no_cap() -> None:
    pipeline = FakePipeline(lambda seen, seed: 50)
    scheduler = Scheduler(pipeline, 1, kv_blocks=1000)
    scheduler.accept(job(max_tokens=6, cap=ThinkingCap(THINK, 2)))
    assert tokens(drain(scheduler)) == [50] * 6


def test_cap_of_zero_in_an_open_prompt_closes_at_once() -> None:
    pipeline = FakePipeline(lambda seen, seed: 50)
    scheduler = Scheduler(pipeline, 1, kv_blocks=1000)
    scheduler.accept(job(max_tokens=3, cap=ThinkingCap(THINK, 0, open_at_start=True)))
    assert tokens(drain(scheduler)) == [101, 50, 50]
    assert pipeline.streams[0].prompt == (7, 8, 101)


def test_refused_by_the_pipeline_is_an_error_of_that_job_alone() -> None:
    class Refusing(FakePipeline):
        def add(
            self, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop_ids: frozenset[int]
        ) -> FakeStream:
            if max_tokens == 3:
                raise RuntimeError("no")
            return super().add(prompt, sampling, max_tokens, stop_ids)

    scheduler = Scheduler(Refusing(lambda seen, seed: 50), 4, kv_blocks=1000)
    scheduler.accept(job(0, max_tokens=3))
    scheduler.accept(job(1, max_tokens=4))
    ends = {p.id: (p.finish, p.detail) for p in drain(scheduler) if p.finish}
    assert ends == {0: ("error", "no"), 1: ("length", "")}


@given(
    choices=st.lists(st.sampled_from([50, 60, 100, 101, END]), min_size=40, max_size=40),
    limit=st.integers(0, 6),
    room=st.integers(1, 20),
    inside=st.booleans(),
    eager=st.booleans(),
)
def test_caps_hold_whatever_the_model_says(
    choices: list[int], limit: int, room: int, inside: bool, eager: bool
) -> None:
    scheduler = Scheduler(FakePipeline(lambda seen, seed: choices[len(seen)]), 1, kv_blocks=1000)
    scheduler.accept(job(max_tokens=room, cap=ThinkingCap(THINK, limit, inside), eager=eager))
    news = drain(scheduler)
    made = tokens(news)
    assert [p.finish for p in news].count(None) == len(news) - 1
    assert 1 <= len(made) <= room
    assert news[-1].finish == ("stop" if made[-1] == END else "length")
    opened = inside or made[0] == THINK.start
    body = made[1:] if made[0] == THINK.start else made
    thinking = body[: body.index(THINK.end)] if THINK.end in body else body
    assert not opened or len(thinking) <= limit + (made[-1] == END and THINK.end not in body)


class Failing(FakePipeline):
    """Raises in its `at`-th step, or in every one."""

    def __init__(self, at: int | None = None) -> None:
        super().__init__(lambda seen, seed: 50)
        self.at, self.steps = at, 0

    def step(self) -> None:
        self.steps += 1
        if self.at is None or self.steps == self.at:
            raise MemoryError("all gone")
        super().step()


class Scripted:
    """A channel: all commands at once, then the end when nothing is left to do."""

    def __init__(self, commands: Sequence[Job]) -> None:
        self.commands = list(commands)
        self.news: list[Progress] = []

    def poll(self) -> bool:
        return bool(self.commands)

    def recv(self) -> Job:
        if not self.commands:
            raise EOFError
        return self.commands.pop(0)

    def send(self, news: list[Progress], /) -> None:
        self.news += news


def test_a_step_that_raises_ends_what_ran_in_it_and_the_rest_goes_on() -> None:
    fresh: list[FakePipeline] = []

    def renew() -> FakePipeline:
        fresh.append(FakePipeline(lambda seen, seed: 60))
        return fresh[-1]

    channel = Scripted([job(0), job(1), job(2), job(3)])
    with pytest.raises(EOFError):
        work(Scheduler(Failing(at=3), 2, kv_blocks=1000), channel, renew)
    ends = {p.id: p for p in channel.news if p.finish}
    assert [ends[i].finish for i in range(4)] == ["error", "error", "length", "length"]
    assert "MemoryError: all gone" in ends[0].detail
    assert len(fresh) == 1 and [len(s.made) for s in fresh[0].streams] == [8, 8]
    assert tokens(channel.news, 2) == [60] * 8


def test_an_engine_that_fails_every_time_ends() -> None:
    channel = Scripted([job(i) for i in range(9)])
    with pytest.raises(MemoryError):
        work(Scheduler(Failing(), 1, kv_blocks=1000), channel, Failing)
    assert [p.finish for p in channel.news if p.finish] == ["error"] * 3
