"""Every error this library raises on purpose, in one short tree.

Two families. `InputError` is the user's to mend: it names the field and says what would be right, and it is raised
before a token is spent. `CallError` is one call to the endpoint that gave no usable answer; it is caught by the
workflow engine (a failed draft is dropped and counted) and reaches the user only inside `WorkflowFailed`.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import copy, deepcopy
from typing import Any, Self, TypeVar

E = TypeVar("E", bound="PDRError")


class PDRError(Exception):
    """Base of every error of this library.

    It can be sent to another process with its text and its attributes. Of these, what can't be pickled is left behind:
    another exception becomes a `CallError` of its text, everything else None.
    """

    def __reduce__(self) -> tuple[Callable[..., Self], tuple[type[Self], tuple[Any, ...]], dict[str, Any]]:
        # Exception's own way calls the class with its text, which is not what these classes are made of.
        return _rebuilt, (type(self), self.args), {name: _sent(value) for name, value in self.__dict__.items()}

    def __copy__(self) -> Self:
        same = _rebuilt(type(self), self.args)
        same.__dict__.update(self.__dict__)
        return same

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # What it holds are values and what can't be copied (an open ledger); the error alone is made anew.
        memo[id(self)] = same = copy(self)
        return same


def _rebuilt(kind: type[E], args: tuple[Any, ...]) -> E:
    """An error of this class with this text and no attributes yet."""
    made = kind.__new__(kind, *args)
    made.args = args
    return made


def _sent(value: object) -> object:
    """A value as it can be had in another process; an exception may be pickled and yet not be read back."""
    try:
        pickle.dumps(value)
        deepcopy(value)  # made anew as from a pickle, by the same means, and nothing is loaded
    except Exception:
        return CallError(f"{type(value).__name__}: {value}") if isinstance(value, Exception) else None
    return value


class InputError(PDRError):
    """Something the user wrote can't be run. `field` names it, `mend` says what to write instead."""

    def __init__(self, field: str, problem: str, mend: str) -> None:
        self.field = field
        self.problem = problem
        self.mend = mend
        super().__init__(f"{field}: {problem}. {mend}")

    def named(self, field: str) -> Self:
        """The same error, of a field by another name."""
        same = copy(self)
        same.field, same.args = field, (f"{field}: {self.problem}. {self.mend}",)
        return same


class WorkflowError(InputError):
    """A workflow that can't be run as declared: unknown key, width 0, a last round that leaves several drafts."""


class SignatureError(InputError):
    """A signature that is none: no arrow in it, nothing on one of its sides, or another thing altogether."""


class BudgetError(InputError):
    """A budget that doesn't parse (`tokens=16q`) or that the workflow can't fit into."""


class DataError(InputError):
    """A data set that can't be read: missing file or column, a line that doesn't parse."""


class EndpointError(InputError):
    """An endpoint that can't be used at all: unreachable, wrong model, refused key, not an OpenAI-style server."""


class MissingExtra(InputError):
    """Something that needs an extra of this package that is not installed; `mend` has the command that installs it.

    Attributes:
        extra: The extra.
    """

    def __init__(self, what: str, extra: str, module: str) -> None:
        self.extra = extra
        mend = f"Install it: pip install 'pdr-dspy[{extra}]' (in a checkout: pip install -e '.[{extra}]')"
        super().__init__(what, f"it needs {module}, which is not installed", mend)


class DiskError(InputError):
    """What has to be kept can't be written: a full disk, no permission. Nothing more is paid for until it can."""


class SpendExhausted(InputError):
    """The tokens that a search (or another program) may generate in all are used up.

    Attributes:
        spent, limit: Generated tokens, those of requests whose answer never came included; and what was allowed.
    """

    def __init__(self, spent: int, limit: int) -> None:
        self.spent = spent
        self.limit = limit
        super().__init__("spend", f"{spent:,} of {limit:,} generated tokens are used up", "Allow more to go on")


class CallError(PDRError):
    """One call gave no usable answer.

    `kind` is what the ledger and the tables count it under; `text` is what was written after the thinking, as far as it
    came ("" where nothing was).
    """

    kind = "error"

    def __init__(self, message: str, text: str = "") -> None:
        self.text = text
        super().__init__(message)


class Truncated(CallError):
    """The call reached its token cap before it had written its answer (`finish_reason: length`)."""

    kind = "truncated"


class EmptyAnswer(CallError):
    """The call ended with no content (thinking alone, or nothing at all)."""

    kind = "empty"


class Unparseable(CallError):
    """The call ended by itself, but what it wrote lacks a field of the signature."""

    kind = "unparseable"


class ContextOverflow(CallError):
    """Prompt and cap together are longer than the model's context."""

    kind = "context"


class ServerFailure(CallError):
    """The endpoint failed (5xx, 429, connection, malformed body) and the retries are used up."""

    kind = "server"


class TimedOut(CallError):
    """No answer within the time limit of a call or of the problem's `seconds` budget."""

    kind = "timeout"


class CutOff(CallError):
    """A straggler, cut because the round's quorum was reached."""

    kind = "cutoff"


class BudgetExhausted(CallError):
    """A call that the `total` or `seconds` budget of the problem no longer allows to start."""

    kind = "budget"


class WorkflowFailed(PDRError):
    """A problem that got no answer: a round was left without a single draft. Counts as wrong, visibly.

    `cause` is the last `CallError`; `record` is what had been done until then (its ledger included); `failures` says in
    words what else failed and what one of these calls wrote.
    """

    def __init__(self, stage: str, cause: Exception, record: object | None = None, failures: str = "") -> None:
        self.stage = stage
        self.cause = cause
        self.record = record
        more = f"; {failures}" if failures else ""
        super().__init__(f"{stage}: no draft left ({type(cause).__name__}: {cause}){more}")

    @property
    def kind(self) -> str:
        """The counted kind of the cause (`truncated`, `server`, ...)."""
        return str(getattr(self.cause, "kind", "error"))
