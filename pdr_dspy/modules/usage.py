"""What DSPy's usage tracker is told of a run: what the run's ledger has.

By itself DSPy counts the calls that gave an answer. A call that failed took tokens, too, as did a request that was
tried again, or the one that finds out whether a model always thinks; the ledger has them all. Answers that were kept
and are replayed count in both; `run.meters.fresh_generated` tells them apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dspy
from dspy.utils.usage_tracker import UsageTracker

from pdr_dspy.ledger import CallRecord, Ledger


@contextmanager
def reported_usage(ledger: Ledger) -> Iterator[None]:
    """Calls made inside reach DSPy's tracker, if there is one, as they stand in the ledger at the end."""
    parent = dspy.settings.usage_tracker
    if parent is None:
        yield
        return
    tracker = UsageTracker()
    try:
        with dspy.context(usage_tracker=tracker):
            yield
    finally:
        told: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for model, entries in tracker.usage_data.items():
            for entry in entries:
                parent.add_usage(model, entry)
                told[model].append((int(entry.get("prompt_tokens") or 0), int(entry.get("completion_tokens") or 0)))
        for model, taken in _taken(ledger.records).items():
            prompt, written = (max(0, sum(t[i] for t in taken) - sum(t[i] for t in told[model])) for i in (0, 1))
            if prompt or written:
                entry = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
                parent.add_usage(model, entry)


def _taken(records: Sequence[CallRecord]) -> dict[str, list[tuple[int, int]]]:
    """Tokens of each attempt, prompt and written, by the name that DSPy has for its model."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for record in records:
        # A record of another LM (it names no replica) has DSPy's name already.
        model = f"hosted_vllm/{record.model}" if record.replica else record.model
        found[model].append((record.prompt_tokens, record.completion_tokens))
    return found
