"""Reading and comparing answers beside the event loop, where they are long.

A short answer takes less than a thread does. What a model may write instead (a list of a hundred expressions, a
megabyte of one word) takes tenths of a second each time, and a vote compares many: the loop must go on meanwhile, or no
time limit holds. Each job is bounded, so the threads are never lost to one.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from pdr_dspy.answers.compare import compare
from pdr_dspy.answers.nodes import Reading
from pdr_dspy.answers.outcomes import Outcome
from pdr_dspy.answers.reading import read

AT_ONCE = 400
"""Characters, of both answers where two are compared, that are looked at on the loop."""

_THREADS = 2


async def reading(text: str) -> Reading:
    """`read`, in a thread where the text is long."""
    if len(text) <= AT_ONCE:
        return read(text)
    return await asyncio.get_running_loop().run_in_executor(_threads(), read, text)


async def comparison(reference: Reading, answer: Reading) -> Outcome:
    """`compare`, in a thread where the answers are long."""
    if len(reference.text) + len(answer.text) <= AT_ONCE:
        return compare(reference, answer)
    return await asyncio.get_running_loop().run_in_executor(_threads(), compare, reference, answer)


@cache
def _threads() -> ThreadPoolExecutor:
    """Threads of our own: the loop's default ones carry parts of every call."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="pdr-dspy-reading")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)
