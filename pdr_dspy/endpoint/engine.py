"""The endpoint as DSPy sees it: a pair of engines (canonical contract) and the `dspy.LM` that holds them.

The LM is a subclass for one reason: DSPy's canonical request has no place for vLLM's own request fields and for the
rollout id, so they are lifted out of a call's keyword arguments here and handed to the engine beside the request.

Saved with a program, an engine is its model's name and nothing else: no address, no key. Loaded, it goes with its first
call to the endpoint that the environment names (`environment`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Protocol, Self

import dspy
from dspy.lm15 import Request, Response, response_to_events

from pdr_dspy import bridge
from pdr_dspy.characters import whole_json
from pdr_dspy.endpoint.requests import EXTRAS, VLLM_FIELDS, Extras
from pdr_dspy.pieces import pieces


class Connection(Protocol):
    """What an engine needs of an open endpoint."""

    @property
    def urls(self) -> Sequence[str]:
        """Its addresses, without credentials."""
        ...

    async def complete(self, request: Request) -> Response:
        """One answer."""
        ...

    def warn(self, text: str) -> None:
        """Tell something once."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class _Engine:
    """What both engines share: the endpoint behind them, if any, and what DSPy's adapters ask of an engine."""

    supports_response_schema = True
    supported_params: ClassVar[frozenset[str]] = frozenset({"response_format"})

    def __init__(self, model: str, endpoint: Connection | None = None) -> None:
        self.model = model
        self.endpoint = endpoint

    async def _complete(self, request: Request) -> Response:
        endpoint = self.endpoint
        if endpoint is None:
            endpoint = await asyncio.to_thread(self.connect)
        return await endpoint.complete(request)

    def connect(self) -> Connection:
        """Go to the endpoint that the environment names, where there is none yet; blocks while that is opened.

        Raises:
            EndpointError: the environment names none, or it can't be used.
        """
        from pdr_dspy.endpoint.environment import shared_endpoint  # which is made of what stands here

        endpoint = self.endpoint or shared_endpoint(self.model)
        self.endpoint = endpoint
        return endpoint

    def dump_state(self) -> dict[str, Any]:
        """What is saved with a program: the model's name."""
        return {"model": self.model}

    @classmethod
    def load_state(cls, state: Mapping[str, Any]) -> _Engine:
        """An engine that is not connected."""
        return cls(str(state["model"]))

    def __deepcopy__(self, memo: object) -> _Engine:
        return self  # a connection is shared: DSPy's optimizers copy programs, LMs included

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.model,)

    def __repr__(self) -> str:
        state = "connected" if self.endpoint is not None else "not connected"
        return f"{type(self).__name__}({self.model!r}, {state})"


class AsyncEndpointEngine(_Engine):
    """DSPy's asynchronous engine; any event loop may call it."""

    async def complete(self, request: Request) -> Response:
        """One answer.

        Raises:
            CallError: no usable answer.
            EndpointError: the endpoint can't be used.
        """
        return await bridge.on_loop(self._complete(request))

    async def stream(self, request: Request) -> AsyncIterator[Any]:
        """The answer as events, once it is whole: what is recorded and replayed is whole answers."""
        for event in _events(await self.complete(request)):
            yield event

    async def aclose(self) -> None:
        """Nothing: the endpoint owns the connections."""


class EndpointEngine(_Engine):
    """DSPy's synchronous engine; any thread may call it, except the library's own loop."""

    def complete(self, request: Request) -> Response:
        """One answer.

        Raises:
            CallError: no usable answer.
            EndpointError: the endpoint can't be used.
        """
        return bridge.run(self._complete(request))

    def stream(self, request: Request) -> Iterator[Any]:
        """The answer as events, once it is whole."""
        return _events(self.complete(request))

    def close(self) -> None:
        """Nothing: the endpoint owns the connections."""


def _events(response: Response) -> Iterator[Any]:
    """An answer as events; word by word where somebody listens, for DSPy's listeners pass over one that comes whole."""
    for event in response_to_events(response):
        text = event.delta if event.type == "delta" and event.delta.type == "text" else None
        if text is None or text.logprobs or not dspy.settings.stream_listeners:
            yield event
            continue
        for piece in pieces(text.text):
            yield replace(event, delta=replace(text, text=piece))


class EndpointLM(dspy.LM):
    """The `dspy.LM` of an endpoint. Takes vLLM's request fields (`top_k`, `min_p`, `chat_template_kwargs`, ...) and
    `extra_body` as keyword arguments of a call or of the LM, beside those DSPy knows.

    Closed, or left as a `with` block, it closes its endpoint; its copies (`lm.copy(temperature=0.6)`) share it.
    """

    _lifted: ClassVar[frozenset[str]] = VLLM_FIELDS | {"extra_body"}

    def __call__(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        """As `dspy.LM`; `prompt` may be a whole `Request`, which is how DSPy's adapters call from 3.5 on."""
        with self._lift(kwargs, prompt) as rest:
            return super().__call__(self._sendable(prompt), messages=self._sendable(messages), **rest)

    async def acall(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        """As `dspy.LM`; as `__call__`."""
        with self._lift(kwargs, prompt) as rest:
            return await super().acall(self._sendable(prompt), messages=self._sendable(messages), **rest)

    @property
    def endpoint(self) -> Connection | None:
        """The endpoint that its calls go to; None where it was loaded from a file and is not connected."""
        return self.engine.endpoint if isinstance(self.engine, _Engine) else None

    @property
    def lm(self) -> Self:
        """Itself: `connect(URL).lm` is the LM, whether `connect` is that of `pdr_dspy`, which gives an LM, or that of
        `pdr_dspy.endpoint`, which gives an `Endpoint`."""
        return self

    def close(self) -> None:
        """Close the endpoint: calls after this are an `EndpointError`; those under way end as they would have."""
        super().close()
        if (endpoint := self.endpoint) is not None:
            endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        endpoint = self.endpoint
        where = "not connected" if endpoint is None else f"at {', '.join(endpoint.urls)}"
        return f"{type(self).__name__}({self.model.removeprefix('hosted_vllm/')!r} {where})"

    def _sendable(self, said: Any) -> Any:
        """A prompt or messages with whole characters alone: DSPy raises on others, no server could read them."""
        clean = whole_json(said)
        if clean != said and isinstance(self.engine, _Engine) and self.engine.endpoint is not None:
            self.engine.endpoint.warn(
                "a prompt holds half a character (a lone surrogate), which can't be sent: U+FFFD is sent for it"
            )
        return clean

    @contextmanager
    def _lift(self, kwargs: Mapping[str, Any], prompt: Any) -> Iterator[dict[str, Any]]:
        merged = {**self.kwargs, **kwargs}
        fields = {name: merged[name] for name in self._lifted if merged.get(name) is not None}
        fields.update(fields.pop("extra_body", {}))
        if isinstance(prompt, Request):
            # It says all of the call itself; of vLLM's fields, what it does not name is the LM's.
            said = prompt.config.extensions or {}
            fields = {name: value for name, value in fields.items() if name not in said}
            rest = {name: value for name, value in kwargs.items() if name not in self._lifted}
        else:
            # None, not absent: the LM's own defaults would come back.
            rest = {**kwargs, **{name: None for name in self._lifted if name in merged}}
        token = EXTRAS.set(Extras(fields, merged.get("rollout_id")))
        try:
            yield rest
        finally:
            EXTRAS.reset(token)
