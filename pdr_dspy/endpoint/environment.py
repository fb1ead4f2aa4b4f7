"""The endpoint that the environment names: `PDR_ENDPOINT`, `PDR_MODEL`, `PDR_API_KEY`.

A saved program holds no address and no key. Loaded, it asks here for the endpoint with its first call, not before, and
all programs of a process share the one that is opened.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pdr_dspy.endpoint.endpoint import Endpoint, endpoint_of
from pdr_dspy.endpoint.engine import EndpointEngine, EndpointLM
from pdr_dspy.endpoint.settings import EndpointSettings, key_from_environment, split_urls
from pdr_dspy.errors import EndpointError
from pdr_dspy.secrets.secret import Secret

URL_VARIABLE = "PDR_ENDPOINT"
"""Environment variable with the endpoint's address; several, separated by commas, are replicas."""

MODEL_VARIABLE = "PDR_MODEL"
"""Environment variable with the name the model is served under."""


def settings_from_environment(
    urls: str | Sequence[str] | None = None,
    model: str | None = None,
    api_key: str | Secret | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    **settings: Any,
) -> EndpointSettings:
    """How to reach an endpoint: as it is said here, else as the environment says.

    Args:
        urls: One address, several separated by commas, or a sequence. None: `PDR_ENDPOINT`.
        model: Name the model is served under. None: `PDR_MODEL`, else the only one served.
        api_key: The key. None: of the environment (`KEY_VARIABLES`).
        environ: The environment; default: the process's.
        **settings: Further fields of `EndpointSettings`.

    Raises:
        EndpointError: no address is said, or an impossible value.
    """
    values = os.environ if environ is None else environ
    said = split_urls(values.get(URL_VARIABLE, "") if urls is None else urls)
    if not said and urls is None:
        mend = (
            f"Set {URL_VARIABLE}=http://host:8000/v1 (and {MODEL_VARIABLE}, PDR_API_KEY where they are needed), "
            "or give a language model: dspy.configure(lm=connect(URL)), with connect from pdr_dspy"
        )
        raise EndpointError(URL_VARIABLE, "it is not set, and no endpoint is given", mend)
    key = Secret(api_key) if isinstance(api_key, str) else api_key or key_from_environment(values)
    named = model or values.get(MODEL_VARIABLE, "").strip() or None
    return EndpointSettings(said, model=named, api_key=key, **settings)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An endpoint of the environment, and for whom it was opened."""

    process: int
    model: str | None
    endpoint: Endpoint

    def is_for(self, settings: EndpointSettings, model: str | None) -> bool:
        """Whether it is the one that the settings name."""
        own = self.endpoint.settings
        return (
            own.urls == settings.urls
            and own.api_key.reveal() == settings.api_key.reveal()
            and model in (self.model, self.endpoint.identity.model)
        )


_opened: list[_Opened] = []
_lock = threading.Lock()


def shared_endpoint(model: str | None = None) -> Endpoint:
    """The endpoint that the environment names, the same one for everybody in this process; opened when first asked for.

    Blocks while it is opened. One that could not be opened is tried anew next time.

    Args:
        model: The model it must serve where `PDR_MODEL` does not say; None: the only one served.

    Raises:
        EndpointError: `PDR_ENDPOINT` is not set, or as `Endpoint.open`.
    """
    settings = settings_from_environment(model=os.environ.get(MODEL_VARIABLE, "").strip() or model)
    with _lock:
        # A child process opens its own.
        _opened[:] = [each for each in _opened if each.process == os.getpid() and not each.endpoint.closed]
        if found := _known(settings, settings.model):
            return found
        endpoint = Endpoint.open(settings)
        if found := _known(settings, endpoint.identity.model):  # under its name; here it was not named
            endpoint.close()
            endpoint = found
        _opened.append(_Opened(os.getpid(), settings.model, endpoint))
        return endpoint


async def connected(lm: Any, *others: Any) -> Any:
    """The LM to call: the one given, or the environment's where it is None and not every other one is there.

    Those among all of them that were loaded from a file are connected.

    Args:
        lm: The one that is configured, or None.
        *others: Those that predictors have themselves; None: the configured one.

    Raises:
        EndpointError: as `shared_endpoint`.
    """
    for each in (lm, *others):
        if isinstance(each, EndpointLM) and isinstance(each.engine, EndpointEngine) and endpoint_of(each) is None:
            await asyncio.to_thread(each.engine.connect)
    if lm is None and (not others or any(each is None for each in others)):
        return (await asyncio.to_thread(shared_endpoint)).lm
    return lm


def _known(settings: EndpointSettings, model: str | None) -> Endpoint | None:
    return next((each.endpoint for each in _opened if each.is_for(settings, model)), None)


def _anew() -> None:
    """In a child process: another thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_anew)
