"""Links between MLflow's pages, in Markdown: descriptions of runs have them. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from pdr_dspy.markdown import plain


def compared(experiment: str, runs: Sequence[str]) -> str:
    """The address of MLflow's page that compares these runs."""
    ids, own = json.dumps(list(runs), separators=(",", ":")), json.dumps([experiment])
    return f"#/compare-runs?runs={quote(ids)}&experiments={quote(own)}"


def link(text: str, url: str) -> str:
    """A link, in Markdown."""
    return f"[{plain(text)}]({url})"
