"""The formats of prompts and answers: how a stage is asked, and how what was written becomes its fields.

`plain` asks as a person would; `markers` is DSPy's; `json` and `xml` are what they say. All of them are
`dspy.Adapter`s, work with typed and several outputs, and read what comes back leniently (`reading` has the order of the
steps). How an answer was read is noted (`collecting`). Knows nothing of workflows' rounds, budgets or endpoints.
"""

from __future__ import annotations

from functools import cache

from dspy.adapters.base import Adapter

from pdr_dspy.formats.adapters import MarkersAdapter, PDRJSONAdapter, PDRXMLAdapter
from pdr_dspy.formats.candidates import Unread
from pdr_dspy.formats.plain import PlainAdapter
from pdr_dspy.formats.reading import STEPS, read
from pdr_dspy.formats.record import MARKS, collecting
from pdr_dspy.workflow import Format

DEFAULT: Format = "plain"
"""The format where neither the workflow nor the model's card nor `dspy.configure` names one."""


@cache
def adapter(name: Format) -> Adapter:
    """The adapter of a format."""
    return _ADAPTERS[name]()


_ADAPTERS: dict[Format, type[Adapter]] = {
    "plain": PlainAdapter,
    "markers": MarkersAdapter,
    "json": PDRJSONAdapter,
    "xml": PDRXMLAdapter,
}

__all__ = ["DEFAULT", "MARKS", "STEPS", "PlainAdapter", "Unread", "adapter", "collecting", "read"]
