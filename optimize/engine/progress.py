"""The progress bar of a phase of a search."""

from __future__ import annotations

from typing import Any

from optimize.engine.prepared import Prepared
from optimize.engine.spending import spent_text
from optimize.reporting.progress import Progress


def progress_of(prepared: Prepared, phase: str, workflows: int, problems: int, **more: Any) -> Progress:
    """The progress of a phase that measures so many workflows on so many problems each.

    Args:
        prepared: The search.
        phase: Its name.
        workflows, problems: How many.
        **more: Further arguments of `Progress`.
    """
    endpoint, request = prepared.endpoint, prepared.request
    return Progress(
        phase,
        total=workflows,
        problems=problems * request.samples,
        latency=request.latency,
        tokens=lambda: endpoint.stats.fresh_tokens,
        spent=lambda: spent_text(prepared.allowance),
        calls=lambda: endpoint.stats.failures,
        costs=prepared.study.objectives.costs,
        **more,
    )
