"""Runs a program on every (problem, sample) of a data set and grades what comes out.

How many problems run at once follows the endpoint: one more starts whenever fewer requests are in flight than its
`load`. A workflow sends sixteen requests in one stage and one in the next, so a fixed number of problems would leave
the endpoint idle, or queue; and seconds measured at one load are not comparable with seconds measured at another.

One problem's failure is one wrong result. What would spoil all of them alike (an endpoint that can't be used, a
workflow that can't be run: an `InputError`) stops the evaluation and is raised.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import dspy

from pdr_dspy import bridge
from pdr_dspy.answers import judged
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.data.dataset import Dataset
from pdr_dspy.data.graders import Verdict, graded_by
from pdr_dspy.data.problem import Problem
from pdr_dspy.endpoint import endpoint_of
from pdr_dspy.errors import InputError
from pdr_dspy.evaluation.failures import describe, fatal
from pdr_dspy.evaluation.results import Evaluation, ProblemResult
from pdr_dspy.evaluation.runs import failed_calls, reads, runs_of
from pdr_dspy.ledger import meters, open_ledger
from pdr_dspy.modules.prediction import with_run

PROBLEMS_AT_ONCE = 16
"""Problems at once where neither the caller nor an endpoint says."""

MARGIN = 4
"""Problems beyond the endpoint's load: those that are between two requests."""

_TICK = 0.01  # seconds between two looks at the endpoint; a request lasts far longer
_SETTLE = 0.1  # seconds a new problem gets to send its first request before the next one starts


class Load(Protocol):
    """What an endpoint says about its load."""

    @property
    def load(self) -> int:
        """Requests it wants in flight."""
        ...

    @property
    def in_flight(self) -> int:
        """Requests in flight now."""
        ...


async def evaluate(
    program: dspy.Module,
    dataset: Dataset,
    *,
    lm: Any = None,
    samples: int = 1,
    first_sample: int = 0,
    concurrency: int | None = None,
    on_result: Callable[[ProblemResult], None] | None = None,
) -> Evaluation:
    """Evaluate a program. Cancelling this cancels every call in flight.

    Where the grader says when two answers are equal (`equal`), the votes of a `PDR` inside the program go by it, unless
    the module was given an equality of its own.

    Args:
        program: Any DSPy module that takes the data set's inputs. One with only a synchronous `forward` runs in
            threads, which can't be cancelled.
        dataset: Problems and grader.
        lm: The language model; default: the one configured.
        samples: Independent repetitions of each problem.
        first_sample: Number of the first of them; other numbers are other draws.
        concurrency: Problems at once. Default: as many as keep the endpoint's load of requests in flight.
        on_result: Called with each result as it comes, in the order they end, on the library's loop: be brief.

    Raises:
        InputError: something that would spoil every problem alike (`EndpointError`, `WorkflowError`, ...).
        ValueError: samples or concurrency below 1, or a negative first sample.
    """
    if samples < 1 or first_sample < 0 or (concurrency is not None and concurrency < 1):
        raise ValueError("samples and concurrency are 1 or more, first_sample is 0 or more")
    run = _Run(program, dataset, lm, on_result)
    jobs = [(problem, first_sample + i) for i in range(samples) for problem in dataset.problems]
    started = time.perf_counter()
    results = await bridge.on_loop(run.all(jobs, _gate(lm, concurrency)))
    ordered = (results[problem.id, first_sample + i] for problem in dataset.problems for i in range(samples))
    return Evaluation(tuple(ordered), time.perf_counter() - started)


class _Gate:
    """Says when one more problem may start."""

    def __init__(self, most: int, endpoint: Load | None) -> None:
        self.most = most
        self._endpoint = endpoint
        self._in_flight_before = 0
        self._settled_at = 0.0

    def admits(self, running: int) -> bool:
        """Whether one more may start while `running` are."""
        if running >= self.most:
            return False
        if running == 0 or self._endpoint is None:
            return True
        now = self._endpoint.in_flight
        # The problem started last must have sent its requests, or had the time to, before they are counted.
        settled = now > self._in_flight_before or time.monotonic() >= self._settled_at
        return settled and now < self._endpoint.load

    def started(self) -> None:
        """One more has started."""
        if self._endpoint is not None:
            self._in_flight_before = self._endpoint.in_flight
            self._settled_at = time.monotonic() + _SETTLE

    def ended(self) -> None:
        """One has ended; perhaps the last one started, without a request (from the store)."""
        self._settled_at = 0.0

    def look_again(self, running: int) -> float | None:
        """Seconds after which to ask again; None: not before one ends."""
        return _TICK if self._endpoint is not None and running < self.most else None


def _gate(lm: Any, concurrency: int | None) -> _Gate:
    if concurrency is not None:
        return _Gate(concurrency, None)
    endpoint: Load | None = endpoint_of(lm if lm is not None else dspy.settings.lm)
    return _Gate(PROBLEMS_AT_ONCE, None) if endpoint is None else _Gate(endpoint.load + MARGIN, endpoint)


Results = dict[tuple[str, int], ProblemResult]


class _Run:
    """One evaluation while it goes on."""

    def __init__(
        self, program: dspy.Module, dataset: Dataset, lm: Any, on_result: Callable[[ProblemResult], None] | None
    ) -> None:
        self._program = program
        self._dataset = dataset
        self._lm = lm
        self._on_result = on_result
        self._threads: ThreadPoolExecutor | None = None

    async def all(self, jobs: Sequence[tuple[Problem, int]], gate: _Gate) -> Results:
        """Results by (problem id, sample)."""
        if not hasattr(self._program, "aforward"):
            # Threads of our own: the loop's default ones carry parts of every LM call, and must stay free.
            self._threads = ThreadPoolExecutor(gate.most, thread_name_prefix="pdr-dspy-program")
        results: Results = {}
        waiting = deque(jobs)
        running: set[asyncio.Task[ProblemResult]] = set()
        try:
            while waiting or running:
                while waiting and gate.admits(len(running)):
                    gate.started()
                    running.add(asyncio.create_task(self._one(*waiting.popleft())))
                pause = gate.look_again(len(running)) if waiting else None
                done, _ = await asyncio.wait(running, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    gate.ended()
                    result = task.result()  # where one ends the run, the others done with it are still looked at below
                    running.discard(task)
                    results[result.problem, result.sample] = result
                    if self._on_result is not None:
                        self._on_result(result)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            if self._threads is not None:
                self._threads.shutdown(wait=False, cancel_futures=True)
        return results

    async def _one(self, problem: Problem, sample: int) -> ProblemResult:
        started = time.perf_counter()
        outputs: dict[str, Any] | None = None
        raised: BaseException | None = None
        with open_ledger() as ledger:
            try:
                outputs = await self._outputs(problem, sample)
            except Exception as error:
                raised, verdict = error, _failed(error)
            except asyncio.CancelledError as error:
                if _cancelled_here():
                    raise
                raised, verdict = error, _failed(error)  # the program's own cancellation, not ours
            seconds = time.perf_counter() - started
            if outputs is not None:
                verdict = await self._grade(problem, outputs)
        records, runs = ledger.records, runs_of(outputs, raised)
        return ProblemResult(
            problem=problem.id,
            sample=sample,
            correct=verdict.correct,
            outputs=outputs,
            failure=verdict.failure,
            detail=verdict.detail,
            meters=meters(records),
            records=records,
            wall_seconds=seconds,
            failed_calls=failed_calls(runs, raised),
            reads=reads(runs),
        )

    async def _outputs(self, problem: Problem, sample: int) -> dict[str, Any]:
        # History and trace keep every prompt of a search in memory; the ledger has what is needed.
        settings: dict[str, Any] = {"disable_history": True, "trace": []}
        if self._lm is not None:
            settings["lm"] = self._lm
        place = CallTag(sample=sample, problem=problem.id)
        with tagged(place), judged(graded_by(self._dataset.grader, problem)), dspy.context(**settings):
            if self._threads is None:
                prediction = await self._program.acall(**problem.inputs)
            else:
                call = functools.partial(contextvars.copy_context().run, self._program, **problem.inputs)
                prediction = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        return with_run(prediction)

    async def _grade(self, problem: Problem, outputs: dict[str, Any]) -> Verdict:
        try:
            verdict = await self._dataset.grader.grade(problem, outputs)
        except InputError:
            raise
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also what would end the process (`SystemExit`): it is the grader's alone
            if isinstance(error, asyncio.CancelledError) and _cancelled_here():
                raise
            return Verdict(False, "grader", "{}: {}".format(*describe(error)))
        return verdict if isinstance(verdict, Verdict) else Verdict(bool(verdict))


def _failed(error: BaseException) -> Verdict:
    mistake = fatal(error)
    if mistake is not None:
        raise mistake from error
    kind, detail = describe(error)
    return Verdict(False, kind, detail)


def _cancelled_here() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
