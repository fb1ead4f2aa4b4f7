"""Jobs through a server manager: the cap on thinking, what is on record, what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training.verl.policy import ScriptedManager, Tokens

from experiments.training.verl.engine import ServerManagerEngine, complete, sampling_params
from pdr_dspy.embedded.jobs import Job, Progress, Sampling, ThinkingCap, ThinkTokens

OPEN, CLOSE, END = 90, 91, 99
PROMPT = (1, 2, 3)


def job(most: int = 50, limit: int | None = None, inside: bool = False, seed: int = 5) -> Job:
    cap = None if limit is None else ThinkingCap(ThinkTokens(OPEN, CLOSE), limit, inside)
    return Job(4, PROMPT, Sampling(temperature=0.7, seed=seed), most, frozenset({END}), cap)


def script(*whole: int) -> ScriptedManager:
    """A manager that writes `whole`, wherever it is interrupted; a forced closing is not counted as its own."""

    def says(standing: Sequence[int]) -> Sequence[int]:
        done = list(standing[len(PROMPT) :])
        if CLOSE in done and CLOSE not in whole[: len(done)]:  # it was closed early: the answer follows
            return [*whole[whole.index(CLOSE) + 1 :]][len(done) - done.index(CLOSE) - 1 :]
        return whole[len(done) :]

    return ScriptedManager(says)


def run(one: Job, manager: Any) -> Any:
    return asyncio.run(complete(one, manager))


def test_an_uncapped_job_is_one_request() -> None:
    manager = script(11, 12, END)
    done = run(job(), manager)
    assert (done.prompt, done.tokens, done.drawn, done.finish) == (PROMPT, (11, 12, END), (1, 1, 1), "stop")
    assert done.log_probs == (-0.11, -0.12, -0.99)
    assert done.weights == {"min_global_steps": 7, "max_global_steps": 7}
    assert len(manager.asked) == 1 and manager.asked[0][2]["max_tokens"] == 50


@pytest.mark.parametrize("inside", [False, True])
def test_thinking_is_closed_at_its_cap_and_the_closing_does_not_count(inside: bool) -> None:
    opening = () if inside else (OPEN,)
    manager = script(*opening, 11, 12, 13, 14, CLOSE, 21, END)
    done = run(job(limit=2, inside=inside), manager)
    assert done.tokens == (*opening, 11, 12, CLOSE, 21, END)
    assert done.drawn == (*(1 for _ in opening), 1, 1, 0, 1, 1)
    assert done.log_probs[len(opening) + 2] == 0.0
    first, second = manager.asked
    assert first[2]["max_tokens"] == 2 + len(opening) and second[1] == [*PROMPT, *opening, 11, 12, CLOSE]
    assert first[0] == second[0], "parts of a job go to one server"


def test_a_thought_within_its_cap_is_the_policys_own() -> None:
    done = run(job(limit=8), script(OPEN, 11, CLOSE, 21, 22, 23, 24, 25, 26, 27, 28, END))
    assert done.tokens == (OPEN, 11, CLOSE, 21, 22, 23, 24, 25, 26, 27, 28, END)
    assert set(done.drawn) == {1}


def test_an_answer_without_thinking_is_not_closed() -> None:
    done = run(job(limit=2), script(31, 32, 33, 34, 35, END))
    assert done.tokens == (31, 32, 33, 34, 35, END) and set(done.drawn) == {1}


def test_no_thinking_at_all_is_closed_before_it_is_asked_for() -> None:
    manager = script(11, CLOSE, 21, END)
    done = run(job(limit=0, inside=True), manager)
    assert done.tokens == (CLOSE, 21, END) and done.drawn == (0, 1, 1)
    assert manager.asked[0][1] == [*PROMPT, CLOSE]


def test_the_cap_on_all_tokens_counts_the_forced_one() -> None:
    assert run(job(most=3, limit=2, inside=True), script(11, 12, 13, CLOSE, END)).finish == "length"
    done = run(job(most=4, limit=2, inside=True), script(11, 12, 13, CLOSE, 21, 22, END))
    assert (done.tokens, done.finish) == ((11, 12, CLOSE, 21), "length")


@given(
    thought=st.lists(st.integers(10, 80), max_size=9),
    answer=st.lists(st.integers(10, 80), max_size=6),
    limit=st.integers(0, 7),
    most=st.integers(1, 20),
    inside=st.booleans(),
)
def test_the_tokens_are_what_the_rule_says(
    thought: list[int], answer: list[int], limit: int, most: int, inside: bool
) -> None:
    opening = [] if inside else [OPEN]
    done = run(job(most, limit, inside), script(*opening, *thought, CLOSE, *answer, END))
    kept, forced = thought[:limit], len(thought) >= limit
    assert list(done.tokens) == [*opening, *kept, CLOSE, *answer, END][:most]
    place = len(opening) + len(kept)
    assert [n for n, own in enumerate(done.drawn) if not own] == ([place] if forced and place < most else [])
    assert len(done.tokens) == len(done.drawn) == len(done.log_probs)


class Broken:
    def __init__(self, output: Tokens) -> None:
        self._output = output

    async def generate(self, *_: Any, **__: Any) -> Tokens:
        return self._output


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (Tokens([], []), "0 tokens"),
        (Tokens([1] * 51, [0.0] * 51), "51 tokens"),
        (Tokens([1], None), "calculate_log_probs"),
        (Tokens([1], [0.0], "aborted"), "broken off"),
    ],
)
def test_what_is_no_completion_is_an_error(output: Tokens, said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        run(job(), Broken(output))


def test_the_seed_stays_here_and_the_sampling_goes_on() -> None:
    params = sampling_params(job(), 9)
    assert "seed" not in params
    assert (params["temperature"], params["top_k"], params["max_tokens"]) == (0.7, -1, 9)
    assert (params["stop_token_ids"], params["logprobs"]) == ([END], True)


async def _news(one: Job, manager: Any, *, cancel: bool = False) -> tuple[ServerManagerEngine, list[Progress]]:
    engine, news, ended = ServerManagerEngine(manager), [], asyncio.Event()

    def sink(progress: Progress) -> None:
        news.append(progress)
        if progress.finish is not None:
            ended.set()

    engine.submit(one, sink)
    assert engine.in_flight == 1
    if cancel:
        await asyncio.sleep(0)  # it has begun
        engine.cancel(one.id)
    await ended.wait()
    while engine.in_flight:
        await asyncio.sleep(0)
    return engine, news


def test_the_engine_tells_and_keeps_what_was_generated() -> None:
    engine, news = asyncio.run(_news(job(seed=8), script(11, END)))
    assert [(each.tokens, each.finish) for each in news] == [((11, END), "stop")]
    assert engine.completions[8].tokens == (11, END)


def test_a_failure_is_told_and_not_kept() -> None:
    engine, news = asyncio.run(_news(job(), Broken(Tokens([], []))))
    assert news[-1].finish == "error" and "RuntimeError" in news[-1].detail
    assert not engine.completions


def test_a_cancelled_job_ends() -> None:
    class Waits:
        async def generate(self, *_: Any, **__: Any) -> Tokens:
            await asyncio.Event().wait()
            raise AssertionError

    engine, news = asyncio.run(_news(job(), Waits(), cancel=True))
    assert news[-1].finish == "abort" and not engine.completions
