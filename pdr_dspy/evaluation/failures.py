"""Which kind of failure an exception is, whoever wrapped it in what."""

from __future__ import annotations

from collections.abc import Iterator

from dspy.utils.exceptions import AdapterParseError, ContextWindowExceededError

from pdr_dspy.errors import CallError, ContextOverflow, InputError, Unparseable, WorkflowFailed

DETAIL = 500
"""Most characters of a failure's detail."""


def fatal(error: BaseException) -> InputError | None:
    """The user's mistake behind an exception, if it is one: it would spoil every problem alike."""
    return next((e for e in chain(error) if isinstance(e, InputError)), None)


def describe(error: BaseException) -> tuple[str, str]:
    """(Kind to count by, detail in words) of what a program raised."""
    for each in chain(error):
        if isinstance(each, WorkflowFailed):
            # Its cause may itself be wrapped (by DSPy), and says more than the wrapper.
            return (each.kind if isinstance(each.cause, CallError) else describe(each.cause)[0]), _cut(str(each))
        if isinstance(each, CallError):
            return each.kind, _cut(str(each))
        if isinstance(each, AdapterParseError):
            return Unparseable.kind, _cut(str(each))
        if isinstance(each, ContextWindowExceededError):
            return ContextOverflow.kind, _cut(str(each))
    return type(error).__name__, _cut(str(error))


def chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, then what it was raised from or while, as far as it goes."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        if isinstance(current, WorkflowFailed):
            current = current.cause
        else:
            current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= DETAIL else f"{text[:DETAIL]}... [cut, {len(text)} characters]"
