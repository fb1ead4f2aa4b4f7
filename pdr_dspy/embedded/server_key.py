"""The server's key: where it is read, and how one is made up. Never on a command line, which all users can read."""

from __future__ import annotations

import os
import secrets
from functools import cache
from pathlib import Path

from ..errors import EndpointError

KEY_VARIABLE = "PDR_EMBEDDED_API_KEY"
"""Environment variable that holds the key."""


def read_key(file: Path | None) -> str:
    """The key of a file, else of the environment, which then no longer has it (what is started later needs none).

    Raises:
        EndpointError: The file can't be read, or what it holds can't be a key; the error does not show it.
    """
    given, source = os.environ.pop(KEY_VARIABLE, ""), KEY_VARIABLE
    if file is not None:
        source = str(file)
        try:
            given = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise EndpointError("api-key-file", f"{file}: {type(problem).__name__}", "Name a file with a key") from None
        if not given.strip():
            raise EndpointError("api-key-file", f"{file} is empty", "Name a file with a key")
    key = given.strip()
    if not all("!" <= c <= "~" for c in key):
        raise EndpointError("api key", f"{source} holds white space or a character that is not ASCII", "Give one word")
    return key


@cache
def made_up() -> str:
    """This process's own key, new in each process; servers it starts share it, so that they may be replicas."""
    return secrets.token_urlsafe(24)
