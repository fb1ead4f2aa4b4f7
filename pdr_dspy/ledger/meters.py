"""The meters: sums over the records of one problem, along the accepted path and over everything. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from itertools import groupby

from pdr_dspy.ledger.records import PROBE, REFUSED, CallRecord


@dataclass(frozen=True, slots=True)
class Meters:
    """Sums over a ledger. Tokens unless said.

    Attributes:
        b_seq: In + out along the accepted path.
        b_total: In + out over every attempt.
        seq_generated: Out along the accepted path; what a `tokens=` budget caps.
        total_generated: Out over every attempt.
        nominal_seq, nominal_total: Calls on the path, and all calls, times their thinking budgets (whole cap where
            a call has no thinking budget).
        seq_calls, calls: Calls on the path, and all calls.
        attempts: All attempts (at least `calls`).
        failures: Attempts whose outcome is neither `ok` nor `REFUSED`.
        unreported: Attempts without reported usage.
        estimated: Those among them whose tokens the tokenizer counted.
        seconds: Along the critical path: the slowest call of each step, retries included.
        prompt_tokens, cached_tokens: Over every attempt (`cached_tokens` 0 where the server does not say).
        fresh_generated: Out over attempts that were not replayed from the store.
        replayed: Calls answered from the store.
        uncounted_at_most: Tokens that attempts may have generated though nobody was told of them.
    """

    b_seq: int = 0
    b_total: int = 0
    seq_generated: int = 0
    total_generated: int = 0
    nominal_seq: int = 0
    nominal_total: int = 0
    seq_calls: int = 0
    calls: int = 0
    attempts: int = 0
    failures: int = 0
    unreported: int = 0
    seconds: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    fresh_generated: int = 0
    replayed: int = 0
    uncounted_at_most: int = 0
    estimated: int = 0


def meters(records: Iterable[CallRecord]) -> Meters:
    """The meters of one problem's records.

    The runs of a program, and its calls outside any run, are taken to follow one another: where a program runs several
    workflows at once, `b_seq`, `seq_generated` and `seconds` are upper bounds.
    """
    rows = _in_order(records)
    path = _Path()
    for calls in _steps(rows):
        path.add(calls)
    heads = [r for r in rows if r.attempt == 0 and r.stage != PROBE]
    return Meters(
        b_seq=path.tokens,
        b_total=sum(r.tokens for r in rows),
        seq_generated=path.generated,
        total_generated=sum(r.completion_tokens for r in rows),
        nominal_seq=path.nominal,
        nominal_total=sum(_nominal(r) for r in heads),
        seq_calls=path.calls,
        calls=len(heads),
        attempts=len(rows),
        failures=sum(r.outcome not in ("ok", REFUSED) for r in rows),
        unreported=sum(not r.reported for r in rows),
        seconds=path.seconds,
        prompt_tokens=sum(r.prompt_tokens for r in rows),
        cached_tokens=sum(r.cached_tokens or 0 for r in rows),
        fresh_generated=sum(r.completion_tokens for r in rows if not r.replayed),
        replayed=sum(r.replayed for r in rows),
        uncounted_at_most=sum(r.uncounted for r in rows),
        estimated=sum(r.estimated for r in rows),
    )


def path_seconds(records: Iterable[CallRecord], places: int) -> float:
    """Seconds along the critical path of one problem's records, where at most `places` of its calls run at once.

    The calls of a step take the places in the order they were sent in. With a place for each of them this is `seconds`
    of the meters.
    """
    total = 0.0
    for calls in _steps(_in_order(records)):
        free = [0.0] * places
        for call in sorted(_waited(calls), key=lambda attempts: attempts[0].started):
            heapreplace(free, free[0] + sum(r.seconds for r in call))
        total += max(free)
    return total


def _in_order(records: Iterable[CallRecord]) -> list[CallRecord]:
    return sorted(records, key=lambda r: (_place(r), r.call, r.attempt))


def _steps(rows: Iterable[CallRecord]) -> Iterator[list[list[CallRecord]]]:
    """The steps of records in order, each as its calls, each as its attempts."""
    for _, step in groupby((r for r in rows if r.stage != PROBE), key=_place):
        yield [list(attempts) for _, attempts in groupby(step, key=lambda r: r.call)]


def _waited(calls: Sequence[list[CallRecord]]) -> list[list[CallRecord]]:
    # A call cut off by a quorum was not waited for: it is on no path.
    return [c for c in calls if c[-1].outcome != "cutoff"]


def _place(record: CallRecord) -> tuple[str, int]:
    # A call outside a workflow is a step of its own.
    return (record.run or record.call, record.step)


class _Path:
    """The accepted path while it is summed, step by step."""

    def __init__(self) -> None:
        self.tokens = self.generated = self.nominal = self.calls = 0
        self.seconds = 0.0

    def add(self, calls: Sequence[list[CallRecord]]) -> None:
        waited = _waited(calls)
        if not waited:
            return
        self.tokens += _largest(waited, lambda r: r.tokens)
        self.generated += _largest(waited, lambda r: r.completion_tokens)
        self.nominal += max(_nominal(c[0]) for c in waited)
        self.seconds += max(sum(r.seconds for r in c) for c in waited)
        self.calls += 1


def _largest(calls: Sequence[Sequence[CallRecord]], size: Callable[[CallRecord], int]) -> int:
    # Of each part only the last attempt is on the path: the tokens of a failed one led nowhere (the totals have them).
    return max(sum({r.part: size(r) for r in c}.values()) for c in calls)


def _nominal(record: CallRecord) -> int:
    return record.thinking_budget if record.thinking_budget is not None else record.requested_tokens
