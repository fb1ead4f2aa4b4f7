"""The ledger: a record for every attempt at a call, and the meters that are sums over them.

Records are made at the LM boundary from what the server said. The meters are the paper's two (section 1.1 of arXiv
2510.01123: `B_seq` along the accepted path, `B_total` over everything, both in + out) and its nominal ones (calls
times thinking budget, what its plots use), generated tokens apart, and seconds along the critical path.

What is on the accepted path: of every sequential step the call that took the most tokens (the parallel ones beside it
cost no latency), so a path is at least as long as the one whose answer was returned. What is not counted: tokens of a
cancelled or failed attempt when the server did not report them (vLLM reports none). `unreported` says how many such
attempts there were, and `uncounted_at_most` how many tokens they may have generated: what the server generated is
between `fresh_generated` and both together. An answer whose usage is missing, or can't be true, is counted by the
tokenizer (`estimated`; where that counts bytes, an upper bound). Time spent waiting for the client's own limiter is not
latency.

A call whose thinking was stopped at its cap and continued by a second request is one call (the nominal meters count its
thinking budget once) with the tokens and seconds of both requests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from heapq import heapreplace
from itertools import groupby
from threading import Lock
from typing import Any

PROBE = "probe"
"""The stage of the request that finds out how a server deals with thinking. It is in the totals, because the server
counts it, and no call: it is on no path and in no step."""

REFUSED = "refused"
"""The outcome of a request whose cap on thinking the server does not take: no failure, for it is asked another way."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One attempt at one call.

    Attributes:
        call: Id shared by all attempts at the same call.
        attempt: Number of the attempt (from 0).
        run, stage, step, round, index, sample, problem: As in `CallTag`.
        model: Model as the server names it.
        replica: Address of the endpoint that answered (no credentials).
        outcome: `ok`, the `kind` of a `CallError` (`truncated`, `empty`, `server`, `cutoff`, ...), or `REFUSED`.
        finish: The server's finish reason, or "" where there was no answer.
        prompt_tokens, completion_tokens: As the server reported, or `estimated`; 0 where nothing was answered.
        cached_tokens: Prompt tokens served from the prefix cache; None where the server does not say.
        thinking_tokens: Thinking tokens, where the server says.
        reported: Whether the server reported a usage for this attempt that can be true.
        max_tokens: The cap that was sent.
        requested_tokens: The cap that was asked for, before it was clamped to the model's context.
        thinking_budget: The thinking cap, or None.
        seconds: From sending to the last byte of this attempt.
        first_token_seconds: From sending to the first token, where streamed.
        started: Unix time of sending.
        replayed: Answered from the store; its tokens and seconds are the original call's.
        detail: What went wrong, in words (never a secret).
        part: Which part of the call's answer: 0, or 1 for the request that continued a thinking stopped at its cap.
            Both parts together are one call and one answer.
        uncounted: Tokens it may have generated beyond `completion_tokens`: what was left of its cap where it was cut
            off, or where its answer was lost on the way; 0 where the server has said, or has refused it.
        estimated: Whether the tokenizer counted the tokens, because the server did not say them or said what can't be.
    """

    call: str
    attempt: int
    run: str
    stage: str
    step: int
    round: int
    index: int
    sample: int
    problem: str
    model: str
    replica: str
    outcome: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None
    thinking_tokens: int | None
    reported: bool
    max_tokens: int
    requested_tokens: int
    thinking_budget: int | None
    seconds: float
    first_token_seconds: float | None
    started: float
    replayed: bool
    detail: str = ""
    part: int = 0
    uncounted: int = 0
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def as_dict(self) -> dict[str, Any]:
        """The record as plain data."""
        return asdict(self)


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


class Ledger:
    """An append-only list of call records, safe across threads and tasks."""

    def __init__(self, records: Iterable[CallRecord] = ()) -> None:
        self._records = list(records)
        self._lock = Lock()

    def add(self, record: CallRecord) -> None:
        """Append one record."""
        with self._lock:
            self._records.append(record)

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """All records so far, in the order they ended."""
        with self._lock:
            return tuple(self._records)

    def meters(self) -> Meters:
        """The sums, if this ledger holds one problem's records."""
        return meters(self.records)


_LEDGERS: ContextVar[tuple[Ledger, ...]] = ContextVar("pdr_dspy_ledgers", default=())


def record(entry: CallRecord) -> None:
    """Add an entry to every ledger open here (they nest: a run's, and whoever's around it)."""
    for ledger in _LEDGERS.get():
        ledger.add(entry)


@contextmanager
def open_ledger() -> Iterator[Ledger]:
    """Calls made inside are recorded in the ledger this yields, and in those opened around it."""
    ledger = Ledger()
    token = _LEDGERS.set((*_LEDGERS.get(), ledger))
    try:
        yield ledger
    finally:
        _LEDGERS.reset(token)
