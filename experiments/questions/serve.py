"""Where the model is: the embedded reasoner, a folder with weights for its server, or addresses of a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pdr_dspy.caching import disable_cache
from pdr_dspy.endpoint import Endpoint, EndpointSettings, Store
from pdr_dspy.endpoint.settings import Thinking
from pdr_dspy.errors import EndpointError, InputError
from pdr_dspy.secrets.secret import Secret


@dataclass(frozen=True)
class Target:
    """One model to measure.

    Attributes:
        urls: Addresses of a server and its replicas; none: the embedded server is started.
        model: Name it is served under; None: the only one.
        weights: Folder of the embedded server's weights; None: those that come along.
    """

    urls: tuple[str, ...] = ()
    model: str | None = None
    weights: Path | None = None


def checkpoint(text: str, option: str, model: str | None) -> Target:
    """A checkpoint as the command line has it: an address, or a folder with weights.

    Raises:
        InputError: it is neither.
        EndpointError: the embedded server could not serve the folder.
    """
    if is_address(text):
        return Target(urls=(text,), model=model)
    folder = Path(text).expanduser()
    if not (folder / "config.json").is_file():
        mend = "Give http://host:8000/v1, or a folder as pdr_dspy/embedded/weights"
        raise InputError(option, f"{text!r} is neither an address nor a folder with a model's config.json", mend)
    from pdr_dspy.embedded.model import read_model

    read_model(folder)  # rather than when those before it were measured, hours later
    return Target(weights=folder)


def is_address(text: str) -> bool:
    """Whether the command line means a server."""
    return text.startswith(("http://", "https://"))


@contextmanager
def opened(target: Target, store: Store, *, load: int, thinking: Thinking = "auto") -> Iterator[Endpoint]:
    """The endpoint of a target; a server that was started for it ends with it.

    Raises:
        EndpointError: it can't be used.
    """
    disable_cache()
    if target.urls:
        settings = EndpointSettings(urls=target.urls, model=target.model, load=load, thinking=thinking)
        with Endpoint.open(settings, store) as endpoint:
            yield endpoint
        return
    from pdr_dspy.embedded import start
    from pdr_dspy.embedded.serve import usable_cores
    from pdr_dspy.embedded.server_key import made_up

    print("starting the embedded reasoner", file=sys.stderr, flush=True)
    # Long chains with dozens of others in flight: what takes time is the model, not the calls' Python.
    with start(weights=target.weights, threads=min(4, usable_cores()), api_key=made_up()) as server:
        settings = EndpointSettings(
            urls=(server.base_url,), model=server.model, api_key=Secret(server.api_key), load=load, thinking=thinking
        )
        with Endpoint.open(settings, store) as endpoint:
            try:
                yield endpoint
            except EndpointError as error:
                if server.alive:
                    raise
                mend = f"Its log is {server.log_path}; the same command goes on"
                raise EndpointError("embedded", "the reasoner ended by itself", mend) from error
