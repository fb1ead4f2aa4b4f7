"""What a forked child must make anew: event loops whose thread is the parent's, connections that both would write to.

A child (of `gunicorn --preload`, celery, multiprocessing on Linux) has a copy of everything but the threads. What it
leaves behind it keeps, untouched: a loop or a connection that is closed there, or collected as garbage, is taken out of
an epoll that it shares with the parent.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

_kept: list[Any] = []
_resets: list[Callable[[], Callable[[], object] | None]] = []


def in_child(reset: Callable[[], object]) -> None:
    """Have `reset` called in every forked child, in the order in which they were given.

    Args:
        reset: A function, or a method of an object that may come to its end before.
    """
    _resets[:] = [find for find in _resets if find() is not None]
    if hasattr(reset, "__self__"):
        _resets.append(weakref.WeakMethod(reset))
    else:
        _resets.append(lambda: reset)


def keep(*things: Any) -> None:
    """Hold on to something of the parent's for as long as the child lives."""
    _kept.extend(things)


def _reset_all() -> None:
    for find in _resets:
        if (reset := find()) is not None:
            reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
