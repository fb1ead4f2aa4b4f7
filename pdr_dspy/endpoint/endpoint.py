"""The endpoint: one served model behind one or several addresses, ready to be called.

Opening one asks the server what it is; from then on `lm` is an ordinary `dspy.LM`. Whoever needs more (the tokenizer,
the context, the numbers) asks the endpoint, which `endpoint_of` finds behind an LM.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
from dspy.lm15 import Request, Response

from pdr_dspy import bridge
from pdr_dspy.endpoint.allowance import Allowance
from pdr_dspy.endpoint.caller import Caller
from pdr_dspy.endpoint.connections import closed, side_client
from pdr_dspy.endpoint.continuation import second_prompt
from pdr_dspy.endpoint.engine import AsyncEndpointEngine, EndpointEngine, EndpointLM
from pdr_dspy.endpoint.given_store import GivenStore, given_store
from pdr_dspy.endpoint.preflight import Identity, identify
from pdr_dspy.endpoint.proxies import proxies_of
from pdr_dspy.endpoint.served import served
from pdr_dspy.endpoint.server_tokens import ServerEncoder
from pdr_dspy.endpoint.settings import EndpointSettings, key_from_environment, split_urls
from pdr_dspy.endpoint.stats import EndpointStats, Tally
from pdr_dspy.endpoint.store import Store
from pdr_dspy.endpoint.tokenizer import find_tokenizer
from pdr_dspy.endpoint.transport import Transport
from pdr_dspy.errors import DiskError, EndpointError
from pdr_dspy.secrets.secret import Secret
from pdr_dspy.workspace import Tokenizer

_SIDE_SECONDS = 30.0  # for /v1/models and /tokenize


class Endpoint:
    """An open endpoint. Make it with `Endpoint.open` or `connect`; close it, or use it in a `with`.

    Attributes:
        identity: Which model answers.
        tokenizer: Its tokens.
        lm: The `dspy.LM` whose calls come here.
        settings: What it was opened with.
    """

    def __init__(
        self,
        settings: EndpointSettings,
        identity: Identity,
        http: httpx.Client,
        store: Store | None,
        allowance: Allowance | None = None,
        transport: Callable[[EndpointSettings], Transport] = Transport,
    ) -> None:
        self.settings = settings
        self._http = http
        self._tally = Tally()
        self._closed = False
        server = ServerEncoder(http, settings.urls, identity.model)
        counter: ServerEncoder | None
        self.tokenizer: Tokenizer
        self.tokenizer, counter = find_tokenizer(server, identity, self._tally.warn)
        if identity.context is None:
            identity = replace(identity, context=server.context())
        if identity.context is None:
            said = f" ({identity.odd_context})" if identity.odd_context else ""
            self._tally.warn(f"the server does not state the model's context{said}: caps are sent unclamped")
        self.identity = identity
        way = transport(settings)
        self._caller = Caller(settings, identity, way, self.tokenizer, counter, store, self._tally, allowance)
        # Also at this program's normal end, if nobody closed it.
        self._finalizer = weakref.finalize(self, _end, http, self._caller, os.getpid())
        self.lm = EndpointLM(
            f"hosted_vllm/{identity.model}",
            engine=EndpointEngine(identity.model, self),
            async_engine=AsyncEndpointEngine(identity.model, self),
            cache=False,
            num_retries=0,
        )

    @classmethod
    def open(
        cls,
        settings: EndpointSettings,
        store: GivenStore = None,
        allowance: Allowance | None = None,
        transport: Callable[[EndpointSettings], Transport] = Transport,
    ) -> Endpoint:
        """Ask the server what it is, and be ready for calls.

        Args:
            settings: Addresses, model, key, limits.
            store: Where completions are kept and looked up: a store, or the directory of a `FileStore`; None keeps none
                (every call is a new draw).
            allowance: What may be generated in all; None: anything. Without room a call is a `SpendExhausted`.
            transport: Makes the way to the server; one that looks on (who trains a model needs its tokens) is a
                subclass.

        Raises:
            EndpointError: unreachable, not an OpenAI-style server, a refused key, another model; `store` is none.
            InputError: the store's directory can't be made or read.
        """
        kept = given_store(store)
        timeout = httpx.Timeout(_SIDE_SECONDS, connect=settings.connect_timeout)
        http = side_client(settings.api_key, timeout, proxies_of(settings.urls))
        try:
            return cls(settings, identify(settings, http), http, kept, allowance, transport)
        except BaseException:
            http.close()
            raise

    async def complete(self, request: Request) -> Response:
        """One answer; runs on the library's loop (the LM's engines bring it there).

        Raises:
            CallError: no usable answer; the class says why.
            EndpointError: the endpoint can't be used, or is closed.
        """
        self._check_open()
        return await self._caller.complete(request)

    def _check_open(self) -> None:
        if self._closed:
            raise closed()

    @property
    def closed(self) -> bool:
        """Whether it answers no more calls."""
        return self._closed

    @property
    def context(self) -> int | None:
        """The model's length in tokens, or None where nobody says."""
        return self.identity.context

    def second_prompt(self, prompt: int, thinking: int | None) -> int:
        """Tokens that a call's second request may read, as calls are made here now; 0 where there is none.

        Args:
            prompt: Tokens of the call's prompt.
            thinking: The call's cap on thinking, or None.
        """
        if thinking is None or self._caller.way.way != "continue":
            return 0
        return second_prompt(prompt, max(thinking, 1))

    @property
    def thinks_always(self) -> bool | None:
        """Whether the model thinks though it is told not to; None: not known yet (see `probed`)."""
        return self._caller.probe.thinks_always

    async def probed(self) -> bool | None:
        """`thinks_always`, found out by one tiny request where it is not known yet; None where that request failed.

        Raises:
            SpendExhausted, DiskError: nothing may be sent.
            EndpointError: it is closed.
        """
        self._check_open()
        return await bridge.on_loop(self._caller.probe.before_a_helper())

    def probe(self) -> bool | None:
        """As `probed`, for those who are in no event loop."""
        self._check_open()
        return bridge.run(self._caller.probe.before_a_helper())

    @property
    def load(self) -> int:
        """Requests in flight at most."""
        return self._caller.limiter.load

    @contextmanager
    def at_load(self, load: int) -> Iterator[None]:
        """Inside, so many requests are in flight at most, instead of the settings' `load`.

        Args:
            load: Requests.

        Raises:
            EndpointError: a number that no endpoint with these addresses can hold.
            RuntimeError: there are requests in flight.
        """
        limiter, before = self._caller.limiter, self.load
        wanted = replace(self.settings, load=load).load
        if limiter.in_flight:
            raise RuntimeError("the load can't be changed while requests are in flight")
        limiter.load = wanted
        try:
            yield
        finally:
            limiter.load = before

    @property
    def in_flight(self) -> int:
        """Requests in flight now."""
        return self._caller.limiter.in_flight

    @property
    def stats(self) -> EndpointStats:
        """The numbers so far."""
        return self._tally.snapshot(*self._caller.limiter.usage())

    def served(self) -> int | None:
        """Tokens that the servers say they have generated since they started, for whomever; None where one does not.

        Raises:
            EndpointError: it is closed.
        """
        return served(self._http, self.settings.urls, self.identity.model)

    def warn(self, text: str) -> None:
        """Note what was worked around in the stats and, the first time, in the log."""
        self._caller.warn(text)

    def answers(self) -> bool:
        """Whether the server, asked now, still says that it serves this model. Blocks for as long as it takes."""
        try:
            return identify(self.settings, self._http).model == self.identity.model
        except EndpointError:
            return False

    def close(self) -> None:
        """Answer no more calls. Those under way end as they would have."""
        self._closed = True
        self._finalizer()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def urls(self) -> tuple[str, ...]:
        """Its addresses, without credentials."""
        return self.settings.urls

    def __repr__(self) -> str:
        return f"Endpoint({self.identity.model!r} at {', '.join(self.urls)})"


def _end(http: httpx.Client, caller: Caller, pid: int) -> None:
    if pid != os.getpid():  # a forked child: the connection and what is not kept yet are the parent's
        return
    http.close()
    with contextlib.suppress(DiskError):  # said when it first failed
        caller.keep_rest()


def connect(
    urls: str | Sequence[str],
    *,
    api_key: str | Secret | None = None,
    store: GivenStore = None,
    **settings: Any,
) -> Endpoint:
    """Open an endpoint in one line; its `lm` is a `dspy.LM`. `pdr_dspy.connect` gives the LM itself.

    Args:
        urls: One address, several separated by commas, or a sequence.
        api_key: The key; None takes it from the environment.
        store: As in `Endpoint.open`.
        **settings: Further fields of `EndpointSettings`.

    Raises:
        EndpointError: as `Endpoint.open`.
    """
    key = Secret(api_key) if isinstance(api_key, str) else api_key or key_from_environment()
    return Endpoint.open(EndpointSettings(split_urls(urls), api_key=key, **settings), store)


def endpoint_of(lm: Any) -> Endpoint | None:
    """The endpoint behind a `dspy.LM`, or None where it is another kind of LM or not connected."""
    engine = getattr(lm, "engine", None)
    found = engine.endpoint if isinstance(engine, EndpointEngine) else None
    return found if isinstance(found, Endpoint) else None
