"""Running programs over data sets: what counts as wrong, what stops everything, and how much runs at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError, LMUnexpectedError

from pdr_dspy import ledger
from pdr_dspy.calls import CallTag, current_tag
from pdr_dspy.data import Dataset, Problem, make_grader
from pdr_dspy.errors import CutOff, DataError, EndpointError, Truncated, WorkflowFailed
from pdr_dspy.evaluation import evaluate, runner

SIGNATURE = dspy.Signature("problem -> answer")


def dataset(count: int = 6, **options: Any) -> Dataset:
    problems = tuple(Problem(f"p{i}", {"problem": str(i)}, str(i)) for i in range(count))
    return Dataset("numbers", SIGNATURE, problems, options.get("grader") or make_grader("exact"))


def call_record(tokens: int = 5) -> ledger.CallRecord:
    tag = current_tag()
    return ledger.CallRecord(
        call=f"{tag.problem}/{tag.sample}", attempt=0, run="", stage="other", step=0, round=0, index=0,
        sample=tag.sample, problem=tag.problem, model="m", replica="r", outcome="ok", finish="stop",
        prompt_tokens=10, completion_tokens=tokens, cached_tokens=None, thinking_tokens=None, reported=True,
        max_tokens=9, requested_tokens=9, thinking_budget=None, seconds=0.5, first_token_seconds=None, started=0.0,
        replayed=False,
    )  # fmt: skip


class Program(dspy.Module):
    """Answers with what `solve` makes of the problem's number."""

    def __init__(self, solve: Callable[[int], Any]) -> None:
        super().__init__()
        self.solve = solve

    async def aforward(self, problem: str) -> dspy.Prediction:
        answer = self.solve(int(problem))
        if asyncio.iscoroutine(answer):
            answer = await answer
        ledger.record(call_record())
        return dspy.Prediction(answer=answer)


class SyncProgram(dspy.Module):
    def forward(self, problem: str) -> dspy.Prediction:
        ledger.record(call_record())
        return dspy.Prediction(answer=problem, thread=threading.current_thread().name, tag=current_tag())


async def test_results_come_in_the_data_sets_order_with_their_own_records() -> None:
    async def solve(number: int) -> int:
        await asyncio.sleep(0.05 / (number + 1))
        return number if number != 2 else -1

    seen: list[str] = []
    found = await evaluate(
        Program(solve), dataset(), samples=2, first_sample=3, on_result=lambda r: seen.append(r.problem)
    )
    assert [(r.problem, r.sample) for r in found.results] == [(f"p{i}", s) for i in range(6) for s in (3, 4)]
    assert found.accuracy == pytest.approx(5 / 6) and not found.failures
    assert all(len(r.records) == 1 and r.records[0].sample == r.sample for r in found.results)
    assert all(r.meters.b_total == 15 and r.wall_seconds > 0 for r in found.results)
    assert sorted(seen) == sorted([f"p{i}" for i in range(6)] * 2) and found.wall_seconds > 0


def parse_error() -> Exception:
    return AdapterParseError(adapter_name="ChatAdapter", signature=SIGNATURE, lm_response="gibberish")


def wrapped(cause: Exception) -> Exception:
    error = LMUnexpectedError("engine failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (WorkflowFailed("draft", Truncated("cap reached")), "truncated"),
        (WorkflowFailed("draft", wrapped(CutOff("late"))), "cutoff"),
        (wrapped(Truncated("cap reached")), "truncated"),
        (parse_error(), "unparseable"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError"),
        (asyncio.CancelledError("the program's own"), "CancelledError"),
    ],
)
async def test_a_failure_is_one_wrong_result(error: BaseException, kind: str) -> None:
    def solve(number: int) -> int:
        if number == 1:
            ledger.record(call_record(7))
            raise error
        return number

    found = await evaluate(Program(solve), dataset(3))
    assert found.failures == {kind: 1} and found.accuracy == pytest.approx(2 / 3)
    failed = found.results[1]
    assert failed.outputs is None and not failed.correct and failed.detail
    assert failed.meters.total_generated == 7  # what was spent is counted


@pytest.mark.parametrize("wrap", [lambda e: e, wrapped, lambda e: WorkflowFailed("draft", wrapped(e))])
async def test_an_endpoint_that_can_not_be_used_stops_everything(wrap: Callable[[Exception], Exception]) -> None:
    error = EndpointError("api key", "refused", "Set PDR_API_KEY.")
    ended: list[int] = []

    async def solve(number: int) -> int:
        if number == 1:
            raise wrap(error)
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(number)
        return number

    with pytest.raises(EndpointError) as raised:
        await evaluate(Program(solve), dataset(50), concurrency=4)
    assert raised.value is error
    assert sorted(ended) == [0, 2, 3]  # those in flight were cancelled, the rest never started


MISTAKEN = """
import asyncio, dspy
from pdr_dspy.data import Dataset, Problem, make_grader
from pdr_dspy.errors import SpendExhausted
from pdr_dspy.evaluation import evaluate

class Program(dspy.Module):
    async def aforward(self, problem):
        raise SpendExhausted(90, 100)

problems = tuple(Problem(f"p{i}", {"problem": str(i)}, str(i)) for i in range(6))
try:
    asyncio.run(evaluate(Program(), Dataset("d", dspy.Signature("problem -> answer"), problems, make_grader("exact"))))
except SpendExhausted:
    print("told once")
"""


def test_problems_that_all_meet_the_same_mistake_tell_it_once() -> None:
    done = subprocess.run([sys.executable, "-c", MISTAKEN], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("told once\n", "")  # no "Task exception was never retrieved"


async def test_cancelling_cancels_what_is_in_flight() -> None:
    started: list[int] = []
    ended: list[int] = []

    async def solve(number: int) -> int:
        started.append(number)
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(number)
        return number

    task = asyncio.create_task(evaluate(Program(solve), dataset(20), concurrency=3))
    while len(started) < 3:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):
        if len(ended) == 3:
            break
        await asyncio.sleep(0.01)
    assert sorted(ended) == [0, 1, 2]


async def test_synchronous_programs_run_in_threads_of_their_own() -> None:
    found = await evaluate(SyncProgram(), dataset(), samples=2)
    assert found.accuracy == 1
    for each in found.results:
        assert each.outputs is not None and each.outputs["thread"].startswith("pdr-dspy-program")
        assert each.outputs["tag"] == CallTag(sample=each.sample, problem=each.problem)
        assert each.meters.calls == 1


async def test_a_program_without_the_graded_field() -> None:
    class Other(dspy.Module):
        async def aforward(self, problem: str) -> dspy.Prediction:
            return dspy.Prediction(result=problem)

    found = await evaluate(Other(), dataset(2))
    assert found.failures == {"missing": 2} and "'answer'" in found.results[0].detail


class OwnGrader:
    name = "own"

    async def grade(self, problem: Problem, outputs: Mapping[str, Any]) -> bool:
        if problem.id == "p1":
            raise ValueError("odd answer")
        if problem.id == "p4":
            raise DataError("grader", "no workers", "Install it.")
        return outputs["answer"] == int(problem.answer or "")


async def test_graders_of_ones_own() -> None:
    found = await evaluate(Program(lambda n: n), dataset(3, grader=OwnGrader()))
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.results[1].detail == "ValueError: odd answer" and found.failures == {"grader": 1}
    assert found.results[1].outputs == {"answer": 1}
    with pytest.raises(DataError):
        await evaluate(Program(lambda n: n), dataset(5, grader=OwnGrader()))


async def test_arguments_out_of_range() -> None:
    for options in ({"samples": 0}, {"concurrency": 0}, {"first_sample": -1}):
        with pytest.raises(ValueError):
            await evaluate(Program(lambda n: n), dataset(), **options)


async def test_a_callback_that_fails_is_not_swallowed() -> None:
    with pytest.raises(KeyError):
        await evaluate(Program(lambda n: n), dataset(), on_result=lambda r: {}["x"])


class FakeEndpoint:
    """Counts requests in flight as an endpoint does: at most `load`, the rest wait."""

    def __init__(self, load: int) -> None:
        self.load = load
        self.in_flight = 0
        self.most = 0
        self._places = asyncio.Semaphore(load)

    async def request(self, seconds: float = 0.05) -> None:
        async with self._places:
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            try:
                await asyncio.sleep(seconds)
            finally:
                self.in_flight -= 1


class Staged(dspy.Module):
    """Like a workflow: stages of `widths` requests each."""

    def __init__(self, endpoint: FakeEndpoint, widths: list[int]) -> None:
        super().__init__()
        self.widths = widths
        self.endpoint = endpoint
        self.running = 0
        self.most = 0

    async def aforward(self, problem: str) -> dspy.Prediction:
        self.running += 1
        self.most = max(self.most, self.running)
        for width in self.widths:
            await asyncio.gather(*(self.endpoint.request() for _ in range(width)))
        self.running -= 1
        return dspy.Prediction(answer=problem)


async def watched(monkeypatch: pytest.MonkeyPatch, widths: list[int], load: int, count: int, **options: Any) -> Staged:
    endpoint = FakeEndpoint(load)
    monkeypatch.setattr(runner, "endpoint_of", lambda lm: endpoint)
    program = Staged(endpoint, widths)
    assert (await evaluate(program, dataset(count), **options)).accuracy == 1
    return program


async def test_wide_stages_fill_the_endpoint_with_few_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    program = await watched(monkeypatch, [8], 8, 6)
    assert program.endpoint.most == 8 and program.most <= 3


async def test_narrow_stages_fill_it_with_many(monkeypatch: pytest.MonkeyPatch) -> None:
    program = await watched(monkeypatch, [1, 1, 1, 1], 8, 24)
    assert program.endpoint.most == 8 and 8 <= program.most <= 8 + runner.MARGIN


async def test_mixed_stages_never_start_more_than_load_and_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    program = await watched(monkeypatch, [4, 1, 1], 4, 12)
    assert program.endpoint.most == 4 and program.most <= 4 + runner.MARGIN


async def test_an_explicit_concurrency_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await watched(monkeypatch, [1, 1], 8, 10, concurrency=2)).most == 2


async def test_problems_without_requests_do_not_wait_for_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = FakeEndpoint(2)
    monkeypatch.setattr(runner, "endpoint_of", lambda lm: endpoint)
    found = await evaluate(Program(lambda n: n), dataset(60))
    assert found.accuracy == 1 and found.wall_seconds < 5


async def test_evaluation_from_inside_the_loop_and_outside() -> None:
    from pdr_dspy import bridge

    assert bridge.submit(evaluate(Program(lambda n: n), dataset())).result(timeout=20).accuracy == 1


def test_fingerprint_of_another_grader_differs() -> None:
    assert dataset().fingerprint != replace(dataset(), grader=OwnGrader()).fingerprint
