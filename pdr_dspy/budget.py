"""Budgets: what one problem may cost, and the run-time account that keeps to it.

`Budget` is what the user writes (`tokens=16k,total=400k,seconds=30`); `Spend` reserves tokens before a call starts and
puts right what it took when it ends. Knows nothing of workflows (`workflow.plan` turns a budget into caps), of the
endpoint or of money.
"""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock

from pdr_dspy.errors import BudgetError, BudgetExhausted
from pdr_dspy.kinds import need_kind

UNLIMITED = "unlimited"
"""How a budget without any limit is written."""

MOST_TOKENS = 10**15
"""Tokens of a limit at most; more is none."""

_TOKENS = re.compile(r"([0-9]{1,400}(?:\.[0-9]{1,400})?)([km]?)")
_SECONDS = re.compile(r"([0-9]{1,400}(?:\.[0-9]{1,400})?)([sm]?)")
_TOKEN_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_SECOND_UNITS = {"": 1, "s": 1, "m": 60}
_EXAMPLE = "Write it like tokens=16k,total=400k,seconds=30 (k = 1000, m = 1000000)"


@dataclass(frozen=True, slots=True)
class Budget:
    """What one problem may cost; None is no limit.

    Attributes:
        tokens: Tokens generated along the accepted path: thinking, answers and workspaces of the calls that follow one
            another; calls that run in parallel count once.
        total: Tokens of all calls together, prompts and generated, parallel and discarded calls included; of those that
            were cut off or whose answer was lost, what they may have taken.
        seconds: Wall clock, in seconds.

    Raises:
        BudgetError: a limit that is not positive (or, for tokens, not a whole number).
    """

    tokens: int | None = None
    total: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for key, value in (("tokens", self.tokens), ("total", self.total)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise BudgetError(f"budget.{key}", f"{value!r} is not a whole number above 0", _EXAMPLE)
            if value is not None and value > MOST_TOKENS:
                raise BudgetError(f"budget.{key}", "it is too large", f"Write at most {MOST_TOKENS}, or leave it out")
        seconds = self.seconds
        if seconds is not None and (
            isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf
        ):
            raise BudgetError("budget.seconds", f"{seconds!r} is not a number above 0", _EXAMPLE)

    def __str__(self) -> str:
        """The shortest text that `parse_budget` reads back as this budget."""
        parts = [f"{key}={_show(n)}" for key, n in (("tokens", self.tokens), ("total", self.total)) if n is not None]
        if self.seconds is not None:
            parts.append(f"seconds={_show_seconds(self.seconds)}")
        return ",".join(parts) or UNLIMITED


def parse_budget(text: str) -> Budget:
    """Read a budget such as `tokens=16k,total=400k,seconds=30`.

    Token counts are whole numbers or decimals with a unit: k = 1000, m = 1 000 000 (`1.5k` is 1500). Seconds are
    decimals, plain or with `s`; `m` is minutes (`seconds=2m` is 120). Capitals are read as small letters. Each key may
    stand once; `unlimited` is a budget without limits.

    Raises:
        BudgetError: it is no text, or does not parse; the error names the key.
    """
    need_kind(text, str, BudgetError, "budget", f"{_EXAMPLE}, or {UNLIMITED}")
    if text.strip().lower() == UNLIMITED:
        return Budget()
    if not text.strip():
        raise BudgetError("budget", "it is empty", _EXAMPLE)
    values: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise BudgetError("budget", f"{part.strip()!r} is not of the form key=value", _EXAMPLE)
        if key not in ("tokens", "total", "seconds"):
            raise BudgetError(f"budget.{key}", "no such key", "Use tokens, total or seconds")
        if key in values:
            raise BudgetError(f"budget.{key}", "it stands twice", "Keep one of the two")
        values[key] = value
    return Budget(
        tokens=_tokens("tokens", values["tokens"]) if "tokens" in values else None,
        total=_tokens("total", values["total"]) if "total" in values else None,
        seconds=_seconds(values["seconds"]) if "seconds" in values else None,
    )


def _tokens(key: str, text: str) -> int:
    match = _TOKENS.fullmatch(text.lower())
    if match is None:
        raise BudgetError(f"budget.{key}", f"{_quoted(text)} is not a number of tokens", _EXAMPLE)
    amount = Decimal(match[1]) * _TOKEN_UNITS[match[2]]
    if amount != int(amount):
        raise BudgetError(f"budget.{key}", f"{text!r} is not a whole number of tokens", _EXAMPLE)
    return int(amount)


def _seconds(text: str) -> float:
    match = _SECONDS.fullmatch(text.lower())
    if match is None:
        raise BudgetError(
            "budget.seconds", f"{_quoted(text)} is not a number of seconds", "Write it like 30, 30s, 1.5s or 2m"
        )
    return float(match[1]) * _SECOND_UNITS[match[2]]


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _show(tokens: int) -> str:
    for unit in ("m", "k"):
        if tokens % _TOKEN_UNITS[unit] == 0:
            return f"{tokens // _TOKEN_UNITS[unit]}{unit}"
    return str(tokens)


def _show_seconds(seconds: float) -> str:
    # repr is the shortest text that reads back as the same float; Decimal spells it without an exponent.
    plain = format(Decimal(repr(float(seconds))), "f")
    return plain.removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Reservation:
    """Tokens set aside for one call that has started."""

    id: int
    tokens: int


class Spend:
    """One problem's account at run time: reserve before a call starts, reconcile when it has ended.

    Safe across threads and tasks. As long as no call takes more than was reserved for it, `spent` never exceeds the
    budget's `total`, whatever the order in which calls start and end.

    Args:
        budget: The problem's budget.
        started: Reading of `time.monotonic()` at which the problem's clock starts (default: now).
    """

    def __init__(self, budget: Budget, *, started: float | None = None) -> None:
        self.budget = budget
        self.started = time.monotonic() if started is None else started
        self._lock = Lock()
        self._open: dict[int, Reservation] = {}
        self._next = 0
        self._spent = 0

    @property
    def spent(self) -> int:
        """Tokens taken by calls that have ended."""
        with self._lock:
            return self._spent

    @property
    def reserved(self) -> int:
        """Tokens set aside for calls that are running."""
        with self._lock:
            return self._reserved()

    def reserve(self, tokens: int, *, keep: int = 0, now: float | None = None) -> Reservation:
        """Set tokens aside for a call that is about to start.

        Args:
            tokens: The most the call can take: its prompt and what it may generate.
            keep: Tokens that must be left over for later calls (what the path still needs), so that a wide round can't
                starve the rounds after it.
            now: Reading of `time.monotonic()` (default: taken here).

        Raises:
            BudgetExhausted: `total` has no room for it, or `seconds` are over.
        """
        if tokens < 0 or keep < 0:
            raise ValueError(f"tokens={tokens} and keep={keep} must not be negative")
        left = self.remaining_seconds(now)
        if left is not None and left <= 0:
            raise BudgetExhausted(f"seconds={_show_seconds(self.budget.seconds or 0)} are over")
        with self._lock:
            total = self.budget.total
            taken = self._spent + self._reserved()
            if total is not None and taken + tokens + keep > total:
                kept = f", {keep} are kept for later calls" if keep else ""
                raise BudgetExhausted(f"total={total}: {taken} are spent or reserved{kept}, the call needs {tokens}")
            reservation = Reservation(self._next, tokens)
            self._open[reservation.id] = reservation
            self._next += 1
            return reservation

    def reconcile(self, reservation: Reservation, used: int) -> None:
        """Close a reservation with what the call really took (0 where it never reached the server).

        More than was reserved is counted in full: it has been generated.

        Raises:
            ValueError: the reservation is not open (closed already, or another account's), or `used` is negative.
        """
        if used < 0:
            raise ValueError(f"used={used} must not be negative")
        with self._lock:
            if self._open.get(reservation.id) is not reservation:
                raise ValueError(f"reservation {reservation.id} is not open")
            del self._open[reservation.id]
            self._spent += used

    def remaining_seconds(self, now: float | None = None) -> float | None:
        """Seconds left on the problem's clock (0 when over), or None without a `seconds` limit."""
        if self.budget.seconds is None:
            return None
        reading = time.monotonic() if now is None else now
        return max(0.0, self.budget.seconds - (reading - self.started))

    def remaining_tokens(self) -> int | None:
        """Tokens of `total` neither spent nor reserved (0 at least), or None without a `total` limit."""
        if self.budget.total is None:
            return None
        with self._lock:
            return max(0, self.budget.total - self._spent - self._reserved())

    def _reserved(self) -> int:
        return sum(r.tokens for r in self._open.values())
