"""One attempt through LiteLLM: a request body goes to an address, a plain chat completion or a `Failure` comes back.

The only place that knows LiteLLM. Its exceptions say "500" of a refused connection and lose Retry-After on their way
through DSPy, so they are read here, down to the socket's error. They may hold the API key (in request headers) and
never leave this file.
"""

from __future__ import annotations

import email.utils
import json
import math
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx

from pdr_dspy.endpoint.chat_body import MalformedBody
from pdr_dspy.endpoint.completion import response_of
from pdr_dspy.endpoint.connections import litellm_client
from pdr_dspy.endpoint.delivery import REFUSALS, Unsent
from pdr_dspy.endpoint.overflow import has_overflow_code, is_overflow
from pdr_dspy.endpoint.proxies import GATEWAY_STATUS, proxies_of
from pdr_dspy.endpoint.reading import Redirected
from pdr_dspy.endpoint.requests import THINKING_FIELD
from pdr_dspy.endpoint.retry import Failure
from pdr_dspy.endpoint.settings import EndpointSettings
from pdr_dspy.secrets.redaction import redacted
from pdr_dspy.secrets.secret import Secret

_OPENAI_FIELDS = frozenset(
    {
        "messages", "max_tokens", "temperature", "top_p", "stop", "seed", "frequency_penalty", "presence_penalty",
        "logprobs", "top_logprobs", "response_format", "tools", "tool_choice", "parallel_tool_calls", "logit_bias",
        "user",
    }
)  # fmt: skip
_SCHEMA_WORDS = ("response_format", "json_schema", "json schema", "guided", "structured output", "grammar")
_SHOWN = 300  # characters of a server's message that are passed on
_READ = 4000  # characters of it that are looked at
_LONGEST = 2**16  # characters of what LiteLLM makes of it


class Transport:
    """Sends request bodies.

    Args:
        settings: The addresses, the key and the limits.

    Raises:
        EndpointError: the environment names a proxy that can't be used.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        import litellm  # takes seconds: here, not at the top, so that `--help` does not wait for it

        litellm.suppress_debug_info = True
        litellm.telemetry = False
        # Cancelled while it prepares a request it forgets the coroutine that would have sent it: nothing is lost.
        forgotten = "coroutine 'BaseLLMHTTPHandler.async_completion' was never awaited"
        warnings.filterwarnings("ignore", message=forgotten, category=RuntimeWarning)
        self._complete = litellm.acompletion
        self._proxies = proxies_of(settings.urls)
        litellm_client(self._proxies)  # what is wrong with it is said here
        self._key = settings.api_key
        # A little more than the limit of an attempt, which is enforced outside: this one must not come first.
        self._timeout = httpx.Timeout(settings.timeout + 5, connect=settings.connect_timeout)

    async def send(self, url: str, body: Mapping[str, Any]) -> dict[str, Any] | Failure:
        """The server's chat completion as plain JSON, or what went wrong."""
        rest = dict(body)
        model = rest.pop("model")
        named = {k: rest.pop(k) for k in tuple(rest) if k in _OPENAI_FIELDS}
        try:
            raw = await self._complete(
                model=f"hosted_vllm/{model}",
                api_base=url,
                api_key=self._key.reveal() or "EMPTY",  # LiteLLM would look for one of its own
                timeout=self._timeout,
                num_retries=0,
                client=litellm_client(self._proxies),  # of this process, should it be a forked child
                cache={"no-cache": True, "no-store": True},
                extra_body=rest,
                **named,
            )
        except Exception as error:
            return self._by_proxy(read_failure(error, self._key), url)
        return self._read(_plain(raw))

    def _read(self, answer: Any) -> dict[str, Any] | Failure:
        try:
            body: dict[str, Any] = self._key.scrub_body(answer)
            response_of(body)
        except Exception as error:  # whatever a body does to who reads it costs this attempt alone
            why = redacted(self._key.scrub(f"{type(error).__name__}: {error}"[:_READ]))[:_SHOWN]
            return Failure("server", f"a body that can't be read ({why})", status=200)
        return body

    def _by_proxy(self, failure: Failure, url: str) -> Failure:
        """A failure that a proxy may have made names it."""
        proxy = self._proxies.get(url)
        if proxy is None or not (failure.connection or failure.status in GATEWAY_STATUS):
            return failure
        return replace(failure, detail=f"{failure.detail} through {proxy}. {proxy.mend}")


def read_failure(error: BaseException, key: Secret) -> Failure:
    """What an exception of LiteLLM's says, in our terms and without the key."""
    chain = list(_chain(error))
    said = _message(error)[:_READ]
    detail = redacted(key.scrub(said))[:_SHOWN]
    if (malformed := next((e for e in chain if isinstance(e, MalformedBody)), None)) is not None:
        why = redacted(key.scrub(str(malformed)[:_READ]))[:_SHOWN]
        return Failure("server", f"a body that is not a chat completion ({why})", status=200)
    if (redirected := next((e for e in chain if isinstance(e, Redirected)), None)) is not None:
        unasked, problem = redirected.status in REFUSALS, redacted(key.scrub(str(redirected)))
        return Failure("endpoint", problem, "endpoint", redirected.mend, redirected.status, costless=unasked)
    if any(isinstance(e, Unsent) for e in chain):
        return Failure("server", f"no connection ({detail})", connection=True, costless=True)
    if any(isinstance(e, httpx.TimeoutException) for e in chain):
        return Failure("timeout", detail)
    if any(isinstance(e, httpx.TransportError) for e in chain):
        return Failure("server", f"the connection broke ({detail})")
    status = getattr(error, "status_code", None)
    if status == 200 or any(isinstance(e, json.JSONDecodeError) for e in chain):
        return Failure("server", f"a body that is not a chat completion ({detail})", status=status)
    too_long = is_overflow(said) or has_overflow_code(str(error)[:_READ])
    # LiteLLM gives errors of its own a status, too; what the server answered says what it may have cost.
    answered = next((e.response.status_code for e in chain if isinstance(e, httpx.HTTPStatusError)), None)
    failure = _refusal(int(answered or status or 500), said, detail, too_long, _retry_after(chain))
    return replace(failure, costless=answered in REFUSALS)


def _refusal(status: int, said: str, detail: str, too_long: bool, retry_after: float | None) -> Failure:
    if status in (401, 403):
        problem, mend = f"the server refuses the key (HTTP {status})", "Set PDR_API_KEY or give api_key"
        return Failure("endpoint", problem, "api key", mend, status)
    if status == 404:
        return Failure("endpoint", f"not found: {detail}", "model", "Compare the name with GET /v1/models", status)
    if status in (400, 413, 422):
        if too_long:
            return Failure("context", detail, status=status)
        schema = any(word in said.lower() for word in _SCHEMA_WORDS)
        return Failure("request", detail, status=status, refuses_thinking=THINKING_FIELD in said, refuses_schema=schema)
    if status == 500 and too_long:  # llama.cpp, where it notices while it generates
        return Failure("context", detail, status=status)
    if status in (408, 504):
        return Failure("timeout", detail, status=status, retry_after=retry_after)
    return Failure("server", detail, status=status, retry_after=retry_after)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _message(error: BaseException) -> str:
    """The server's own message where there is one, else LiteLLM's first line."""
    text = str(getattr(error, "message", None) or error)[:_LONGEST]
    _, brace, rest = text.partition("{")
    try:
        body = json.loads(brace + rest)
        said = body["error"]["message"] if isinstance(body["error"], dict) else body["error"]
        return str(said)
    except (ValueError, KeyError, TypeError, RecursionError):
        lines = text.strip().splitlines() or [type(error).__name__]
        return lines[0].rpartition("Hosted_vllmException - ")[2]


def _retry_after(chain: list[BaseException]) -> float | None:
    for error in chain:
        for headers in (getattr(error, "litellm_response_headers", None), getattr(error, "headers", None)):
            value = (headers or {}).get("retry-after")
            if value is not None:
                return _seconds(str(value), str((headers or {}).get("date", "")))
    return None


def _seconds(value: str, said: str = "") -> float | None:
    """Seconds to wait.

    Args:
        value: The header: a number of seconds, or a date.
        said: The date of the answer. A date to wait for is one of the server's clock, which need not be ours.
    """
    try:
        seconds = float(value)
    except ValueError:
        until, now = _instant(value), _instant(said)
        if until is None:
            return None
        seconds = until - (time.time() if now is None else now)
    return None if math.isnan(seconds) else max(0.0, seconds)


def _instant(date: str) -> float | None:
    """Unix time of a header's date; None where it is none."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):  # a day that no calendar has
        return None


def _plain(value: Any) -> Any:
    # Not model_dump: LiteLLM's models carry fields whose serialisers warn.
    if hasattr(value, "model_fields") or hasattr(type(value), "model_fields"):
        value = dict(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
