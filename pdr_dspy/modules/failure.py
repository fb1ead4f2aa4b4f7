"""What an exception out of DSPy stands for: one of this library's own errors."""

from __future__ import annotations

import dspy
from dspy.utils import exceptions as dspy_errors

from pdr_dspy.errors import (
    CallError,
    ContextOverflow,
    EmptyAnswer,
    EndpointError,
    InputError,
    ServerFailure,
    TimedOut,
    Unparseable,
)

_SERVERS = (
    dspy_errors.LMServerError,
    dspy_errors.LMRateLimitError,
    dspy_errors.LMTransportError,
    dspy_errors.LMStreamAssemblyError,  # a stream that broke off
)


def typed(error: Exception) -> Exception:
    """The `CallError` or `InputError` that an exception out of DSPy stands for, or the exception itself."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CallError | InputError):
            return cause
        cause = cause.__cause__
    if isinstance(error, dspy.utils.exceptions.AdapterParseError):
        if "empty or null" in str(error):
            return EmptyAnswer("the model wrote nothing")
        return Unparseable(_first_line(error), str(error.lm_response or ""))
    if isinstance(error, dspy_errors.ContextWindowExceededError):
        return ContextOverflow(_first_line(error))
    if isinstance(error, dspy_errors.LMTimeoutError):
        return TimedOut(_first_line(error))
    if isinstance(error, dspy_errors.LMAuthError):
        return EndpointError("api key", "the endpoint refused it", "Set the key of your LM")
    if isinstance(error, _SERVERS):
        return ServerFailure(_first_line(error))
    return error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
