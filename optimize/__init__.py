"""The search for a model's best accuracy-latency trade-off, as commands and in Python.

from optimize import SearchRequest, search

found = search(SearchRequest(budget="tokens=16k", endpoint="http://host:8000/v1", data="aime24"))
program = PDR("problem -> answer", found.workflow(), budget=found.budget)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pdr_dspy.extras import need

if TYPE_CHECKING:
    from optimize.engine.measure import measure as measure
    from optimize.engine.result import RunResult as RunResult
    from optimize.engine.result import SearchResult as SearchResult
    from optimize.request.run import RunRequest as RunRequest
    from optimize.request.search import SearchRequest as SearchRequest

_WHERE = {
    "RunRequest": "optimize.request.run",
    "RunResult": "optimize.engine.result",
    "SearchRequest": "optimize.request.search",
    "SearchResult": "optimize.engine.result",
    "measure": "optimize.engine.measure",
}

__all__ = ["RunRequest", "RunResult", "SearchRequest", "SearchResult", "measure", "search"]


def __getattr__(name: str) -> Any:
    """Imported when asked for: the commands answer `--help` without them."""
    if name == "search":  # the module of the command, which is called as well (see there)
        return importlib.import_module("optimize.search")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    need("search", f"optimize.{name}")
    return getattr(importlib.import_module(_WHERE[name]), name)
