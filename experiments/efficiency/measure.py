"""Measures every point of the grid on a real endpoint, resumable; calls that points share are made once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from experiments.efficiency.grid import grid_budget
from experiments.efficiency.outcomes import Outcomes, outcome_of
from optimize.engine.interrupts import interruptible
from optimize.objectives.evaluator import Evaluator, incomplete
from optimize.reporting.progress import Progress
from optimize.space.space import Candidate
from optimize.space.title import title
from pdr_dspy.data import Dataset
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import EndpointError

AT_ONCE = 2
"""Points measured at once, so that the load stays up at a point's end."""


def measure_grid(
    candidates: Sequence[Candidate], data: Dataset, endpoint: Endpoint, outcomes: Outcomes, *, seed: int
) -> bool:
    """Measure what is missing of the outcomes; False if it was stopped.

    Raises:
        EndpointError: the endpoint failed a problem for no fault of the workflow.
    """
    missing = [c for c in candidates if c.key not in outcomes.known]
    if not missing:
        return True
    with Progress(
        "grid",
        total=len(candidates),
        problems=len(data),
        latency="tokens",
        tokens=lambda: endpoint.stats.fresh_tokens,
        done=len(candidates) - len(missing),
    ) as progress:
        evaluator = Evaluator(endpoint, grid_budget(), seed, 1)

        async def one(number: int, candidate: Candidate, room: asyncio.Semaphore) -> None:
            async with room:
                progress.started(number, title(candidate))
                measured = await evaluator.measure(
                    candidate.workflow, data, on_result=lambda _: progress.problem(number)
                )
                assert measured.evaluation is not None
                results = measured.evaluation.results
                lost = [r for r in results if incomplete(r)]
                if lost:
                    problem = f"{len(lost)} problems were spoilt ({lost[0].failure or 'a call'}: {lost[0].detail})"
                    raise EndpointError("endpoint", problem, "Look at the server; the same command goes on")
                outcomes.add(candidate.key, [outcome_of(r) for r in results])
                progress.ended(number, measured)

        async def work(stop: asyncio.Event) -> bool:
            room = asyncio.Semaphore(AT_ONCE)
            everything = asyncio.gather(*(one(i, c, room) for i, c in enumerate(missing)))
            stopping = asyncio.ensure_future(stop.wait())
            waited: set[asyncio.Future[Any]] = {everything, stopping}
            try:
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if everything.done():
                    everything.result()
                return everything.done()
            finally:
                stopping.cancel()
                everything.cancel()
                await asyncio.gather(everything, return_exceptions=True)

        return interruptible(work)
