"""What the runs behind a result say beside its answer: the calls that failed, with what they wrote, and how drafts were
read. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dspy.utils.exceptions import AdapterParseError

from pdr_dspy.errors import CallError, WorkflowFailed
from pdr_dspy.evaluation.failures import chain, describe
from pdr_dspy.modules.records import FailedCall, RunRecord

TEXT = 4000
"""Most characters that are kept of what a failed call wrote."""


def runs_of(outputs: Mapping[str, Any] | None, error: BaseException | None) -> tuple[RunRecord, ...]:
    """The records of the runs that a program returned, or that its exception carries."""
    found = [value for value in (outputs or {}).values() if isinstance(value, RunRecord)]
    for each in chain(error) if error is not None else ():
        if isinstance(each, WorkflowFailed) and isinstance(each.record, RunRecord):
            found.append(each.record)
    return tuple(found)


def failed_calls(runs: Sequence[RunRecord], error: BaseException | None) -> tuple[FailedCall, ...]:
    """Every call of the runs that gave nothing usable; what a program raised, where no run tells of it."""
    found = [failed for run in runs for failed in run.failed]
    if error is not None and not runs_of(None, error):
        text = _written(error)
        if text is not None:
            found.append(FailedCall("", 0, *describe(error), text))
    return tuple(replace(failed, text=cut(failed.text, TEXT)) for failed in found)


def _written(error: BaseException) -> str | None:
    """What the model wrote, where an exception is one of a call; None where it is not."""
    for each in chain(error):
        if isinstance(each, CallError):
            return each.text
        if isinstance(each, AdapterParseError):
            return str(each.lm_response or "")
    return None


def reads(runs: Iterable[RunRecord]) -> dict[str, int]:
    """How many drafts were read in which way (`Draft.read`)."""
    return dict(Counter(draft.read for run in runs for draft in run.drafts))


def cut(text: str, length: int) -> str:
    """At most so many characters of a text, and how long it was."""
    return text if len(text) <= length else f"{text[:length]}... [cut, {len(text)} characters]"


def shown(failed: FailedCall, length: int) -> str:
    """A failed call in a line: `draft 3: unparseable (no 'answer' in it), wrote "I think..."`.

    Args:
        failed: The call.
        length: Characters of its text at most.
    """
    parts = [f"{failed.stage or 'call'} {failed.index}: {failed.kind} ({failed.detail})"]
    text = " ".join(failed.text.split())
    if text:
        parts.append(f"wrote {cut(text, length)!r}")
    if failed.fallback:
        parts.append(f"used in its place: {failed.fallback}")
    return ", ".join(parts)
