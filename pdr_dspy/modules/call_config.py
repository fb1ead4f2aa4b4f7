"""The `config=` of a program's call: how its calls are sampled, looked at before a token is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf
from typing import Any

from pdr_dspy.endpoint.requests import VLLM_FIELDS
from pdr_dspy.errors import InputError

_CAPPED = ("max_tokens", "max_completion_tokens", "thinking_token_budget")
_MANY = ("n", "num_generations")
_ELSEWHERE = {
    "model": "Leave it out; which model answers is said by the LM: lm=connect(URL, MODEL)",
    "messages": "Leave it out; the program's inputs and its stages make the messages",
    "stream": "Leave it out, and listen with dspy.streamify(program)",
    **dict.fromkeys(
        ("api_key", "api_base", "base_url"),
        "Leave it out; the LM knows where its calls go: lm=connect(URL, api_key=...)",
    ),
}
"""What no call of a run can say, and what to do instead."""


@dataclass(frozen=True, slots=True)
class _Range:
    """The numbers that a field may have."""

    least: float
    most: float = inf
    whole: bool = False
    above: bool = False  # `least` itself is none of them

    def has(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        return self.least <= value <= self.most and value != inf and not (self.above and value == self.least)

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if self.least == -inf:
            return kind
        least = f"above {self.least:g}" if self.above else f"from {self.least:g}"
        most = f" {'to' if not self.above else 'and at most'} {self.most:g}" if self.most < inf else ""
        return f"{kind} {least}{most}{'' if most or self.above else ' on'}"


_RANGES = {
    "temperature": _Range(0, 2),
    "top_p": _Range(0, 1, above=True),
    "top_k": _Range(1, whole=True),
    "min_p": _Range(0, 1),
    "min_tokens": _Range(0, whole=True),
    "frequency_penalty": _Range(-2, 2),
    "presence_penalty": _Range(-2, 2),
    "repetition_penalty": _Range(0, above=True),
    "rollout_id": _Range(-inf, whole=True),
    "seed": _Range(-inf, whole=True),
}
_OTHERS = VLLM_FIELDS | {
    "cache", "extra_body", "logit_bias", "logprobs", "metadata", "parallel_tool_calls", "prediction",
    "response_format", "service_tier", "stop", "store", "tool_choice", "tools", "top_logprobs", "user",
}  # fmt: skip
"""Names that are handed on as they are: to DSPy, or to the server."""

_KNOWN = sorted({*_RANGES, *_OTHERS} - {*_CAPPED})


def read_config(given: Any) -> tuple[dict[str, Any], int | None]:
    """The sampling of a call, without what says nothing, and its seed.

    Args:
        given: As the user gives it; None says nothing.

    Raises:
        InputError: it is no dict, or names what can't be; `field` is `config.temperature` and the like.
    """
    if given is None:
        return {}, None
    if not isinstance(given, Mapping):
        raise InputError("config", f"{type(given).__name__} is no dict", "Write config={'temperature': 0.6}")
    _check_planned("config", given)
    for name, value in given.items():
        if name not in (*_CAPPED, *_MANY):
            _check("config", name, value)
            if name not in _RANGES and name not in _OTHERS:
                raise InputError(f"config.{name}", "it is no sampling that is known", _instead_of(name))
    if (body := given.get("extra_body")) is not None:
        if not isinstance(body, Mapping):
            mend = "Write config={'extra_body': {'name': value}}"
            raise InputError("config.extra_body", f"{type(body).__name__} is no dict", mend)
        _check_planned("config.extra_body", body)
        for name, value in body.items():
            _check("config.extra_body", name, value)
    return {k: v for k, v in given.items() if k not in (*_CAPPED, *_MANY, "seed")}, given.get("seed")


def _check_planned(inside: str, given: Mapping[Any, Any]) -> None:
    """See that nothing is said that the workflow says."""
    for name in _CAPPED:
        if given.get(name) is not None:
            mend = "Leave it out, and give the program a budget='tokens=8k' or its rounds thinking: and answer:"
            raise InputError(f"{inside}.{name}", "the plan of the workflow caps every call", mend)
    for name in _MANY:
        if given.get(name) not in (None, 1):
            mend = "Leave it out; how many drafts there are is the workflow's width"
            raise InputError(f"{inside}.{name}", "every call gives one answer", mend)


def _check(inside: str, name: Any, value: Any) -> None:
    """See that a name can stand there, and that its value is within its range. Values of others are not looked at."""
    if not isinstance(name, str):
        raise InputError(inside, f"the key {name!r:.60} is not a text", "Write names of sampling, such as temperature")
    if name in _ELSEWHERE:  # the value is not shown: it may be a key
        raise InputError(f"{inside}.{name}", "a call of a run can't say it", _ELSEWHERE[name])
    if value is not None and (allowed := _RANGES.get(name)) is not None and not allowed.has(value):
        # Python refuses to print a number of thousands of digits.
        shown = "so long a number" if isinstance(value, int) and value.bit_length() > 999 else f"{value!r:.60}"
        raise InputError(f"{inside}.{name}", f"{shown} can't be", f"Write {allowed}, without quotes")


def _instead_of(name: str) -> str:
    if close := get_close_matches(name, _KNOWN, n=1):
        return f"Write {close[0]}"
    return (
        f"Give it to the LM, as {name}=..., or, for a field that the server knows, as extra_body={{'{name:.60}': ...}}"
    )
