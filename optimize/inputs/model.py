"""The model of a run: an endpoint, or the embedded reasoner, started and ended here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from optimize.request.measure import ModelRequest
from pdr_dspy.caching import disable_cache
from pdr_dspy.endpoint import Allowance, Endpoint, EndpointSettings, Recommended, Store
from pdr_dspy.endpoint.recommended import recommendation
from pdr_dspy.errors import EndpointError
from pdr_dspy.secrets.secret import Secret


@contextmanager
def opened(request: ModelRequest, store: Store | None = None, allowance: Allowance | None = None) -> Iterator[Endpoint]:
    """The endpoint that was asked for, or the embedded reasoner, started and ended here.

    Raises:
        EndpointError: it can't be used.
    """
    disable_cache()
    if request.endpoint:
        settings = _settings(request, request.endpoint, request.model)
        with Endpoint.open(settings, store, allowance) as endpoint:
            yield endpoint
        return
    from pdr_dspy.embedded import start
    from pdr_dspy.embedded.server_key import made_up

    print("starting the embedded reasoner", file=sys.stderr, flush=True)
    with (
        start(api_key=made_up()) as server,
        Endpoint.open(
            replace(_settings(request, (server.base_url,), server.model), api_key=Secret(server.api_key)),
            store,
            allowance,
        ) as endpoint,
    ):
        try:
            yield endpoint
        except EndpointError as error:
            if server.alive:
                raise
            raise EndpointError(
                "embedded", "the reasoner ended by itself", f"Its log is {server.log_path}; the same command goes on"
            ) from error


def embedded_card() -> tuple[int, Recommended]:
    """The embedded reasoner's length in tokens, and how it is asked, without starting it."""
    from pdr_dspy.embedded.model import read_model
    from pdr_dspy.embedded.serve import WEIGHTS

    return read_model(WEIGHTS).context, recommendation({}, str(WEIGHTS))


def _settings(request: ModelRequest, urls: tuple[str, ...], model: str | None) -> EndpointSettings:
    return EndpointSettings(urls=urls, model=model, load=request.most_in_flight, thinking=request.thinking)
