"""An environment that names no endpoint, for tests of what is read from it.

with no_endpoint() as environ:
    environ["PDR_ENDPOINT"] = server.url
"""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

from pdr_dspy.endpoint import environment
from pdr_dspy.endpoint.settings import KEY_VARIABLES

NAMES = ("PDR_ENDPOINT", "PDR_MODEL", *KEY_VARIABLES)


@contextmanager
def no_endpoint() -> Iterator[MutableMapping[str, str]]:
    """The environment without endpoint; afterwards it is as before, and what was opened is closed and forgotten."""
    before = {name: os.environ.pop(name) for name in NAMES if name in os.environ}
    try:
        yield os.environ
    finally:
        for name in NAMES:
            os.environ.pop(name, None)
        os.environ.update(before)
        for each in environment._opened:
            each.endpoint.close()
        environment._opened.clear()
