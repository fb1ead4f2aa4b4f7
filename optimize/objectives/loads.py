"""The report at several loads: batching makes every call slower, and wide workflows cheap beside long ones.

A server answers one request at a time faster than thirty-two at once, and a workflow that sends sixteen at once waits
for its turns where there is room for fewer; so the front, its knee and its winners are others at every load. What is
said does not depend on the load: accuracies are pooled over all of them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from optimize.objectives.criteria import Objectives
from optimize.objectives.measurement import Measurement, measurement
from pdr_dspy.budget import Budget
from pdr_dspy.errors import InputError
from pdr_dspy.evaluation import Evaluation
from pdr_dspy.evaluation.statistics import quantile
from pdr_dspy.ledger import path_seconds

FEWEST = 16
"""Problems that are measured at any load, if there are so many: a median of fewer says little."""


@dataclass(frozen=True)
class LoadLevel:
    """A load that was held while a report was measured.

    Attributes:
        load: Requests wanted in flight.
        problems: Problems measured.
        in_flight: How many requests there were, as a mean over the time of measuring; None: all came from the store.
    """

    load: int
    problems: int
    in_flight: float | None


@dataclass(frozen=True)
class AtLoad:
    """What one workflow took at one load.

    Attributes:
        load: Requests in flight.
        p50, p95: Seconds of a problem along its critical path, taking turns where it sends more at once than that.
        count: Runs measured: (problem, sample) pairs.
    """

    load: int
    p50: float
    p95: float
    count: int


def parse_loads(text: str) -> tuple[int, ...]:
    """The loads of a text such as `32` or `1,8,32`, rising; the search is made at the last.

    Raises:
        InputError: something else, or the same load twice.
    """
    mend = "Write a number of requests, or several: 32 or 1,8,32"
    try:
        found = sorted(int(part) for part in text.split(","))
    except ValueError:
        raise InputError("--load", f"{text!r} is not a number of requests in flight", mend) from None
    if found[0] < 1:
        raise InputError("--load", f"{found[0]} is too few", mend)
    if len(set(found)) < len(found):
        raise InputError("--load", f"{text!r} has the same load twice", mend)
    return tuple(found)


def check_loads(loads: Sequence[int], objectives: Objectives, budget: Budget) -> None:
    """Whether it makes sense to measure at several loads.

    Raises:
        InputError: what is weighed does not depend on the load, or what is answered does.
    """
    if len(loads) == 1:
        return
    alone = f"give one load: --load {loads[-1]}"
    if "latency" not in objectives.costs:
        raise InputError("--load", "tokens do not depend on the load", f"Add latency to --objectives, or {alone}")
    if objectives.latency == "tokens":
        raise InputError("--load", "tokens do not depend on the load", f"Leave --latency tokens out, or {alone}")
    if budget.seconds is not None:
        raise InputError(
            "--load",
            "with seconds= in the budget the load decides what is answered in time, and accuracies can't be pooled",
            f"Leave seconds= out, or {alone}",
        )


def problems_at(loads: Sequence[int], problems: int) -> dict[int, int]:
    """How many of the first problems are measured at each load, the largest load first.

    All of them at the largest; at a smaller one as many as take about as long there, `FEWEST` at least: a server that
    holds an eighth of the requests gets an eighth of the problems done in the same time (a little more, for each of
    them is faster).
    """
    most = max(loads)
    return {load: min(problems, max(FEWEST, -(-problems * load // most))) for load in sorted(loads, reverse=True)}


def at_load(evaluation: Evaluation, load: int) -> AtLoad:
    """What an evaluation that was made at this load says of it."""
    seconds = [path_seconds(result.records, load) for result in evaluation.results if result.meters.calls]
    none = not seconds
    return AtLoad(
        load,
        0.0 if none else quantile(seconds, 0.5),
        0.0 if none else quantile(seconds, 0.95),
        len(evaluation.results),
    )


def pooled(measured: Mapping[int, Measurement]) -> tuple[Measurement, tuple[AtLoad, ...]]:
    """One workflow's measurements at several loads as one.

    Accuracy, tokens and failures are of all of them together; seconds are those at the largest load.

    Args:
        measured: Load to measurement; each with samples of its own.

    Returns:
        The measurement, and what each load took (rising).
    """
    parts = {load: m.evaluation for load, m in sorted(measured.items()) if m.evaluation is not None}
    first, *others = parts.values()
    whole, largest = measurement(first.merged(*others)), measured[max(measured)]
    seconds = {name: value for name, value in largest.metrics.items() if name in _SECONDS}
    return (
        replace(whole, p50=largest.p50, p95=largest.p95, metrics={**whole.metrics, **seconds}),
        tuple(at_load(evaluation, load) for load, evaluation in parts.items()),
    )


def apart(measured: Measurement, load: int) -> Measurement:
    """A measurement as it is tracked beside the one at the largest load: its seconds alone, named by the load."""
    assert measured.evaluation is not None
    took = at_load(measured.evaluation, load)
    metrics = {f"load_{load}_p50": took.p50, f"load_{load}_p95": took.p95}
    return replace(measured, metrics=metrics, evaluation=None)


_SECONDS = ("latency_p50", "latency_p95", "mean_seconds")
