"""How far a run has come, said while it runs: "5 of 8 drafts", "distilling", "1 of 4 refinements".

Whoever wants to know watches (`watching`); a run says it to all who watch where it was called. A watcher is called in
the library's event loop, so it must be quick and must not wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from pdr_dspy.errors import CallError
from pdr_dspy.workflow import Stage

T = TypeVar("T")

_NOUNS: dict[Stage, tuple[str, str]] = {"draft": ("draft", "drafts"), "refine": ("refinement", "refinements")}
_BEGUN: dict[Stage, str] = {
    "draft": "drafting",
    "refine": "refining",
    "distill": "distilling",
    "pick": "picking",
    "analyse": "analysing",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a run that has begun, or one of its calls that has come back.

    Attributes:
        stage: The step's stage.
        round: Round of the workflow, from 0.
        done: Calls of the step that have come back, failed ones included; 0: the step begins.
        of: Calls of the step; 1 for what is asked between rounds.
    """

    stage: Stage
    round: int
    done: int
    of: int

    def __str__(self) -> str:
        if self.stage not in _NOUNS or not self.done:
            return _BEGUN[self.stage]
        one, many = _NOUNS[self.stage]
        return f"{self.done} of {self.of} {one if self.of == 1 else many}"


Watcher = Callable[[Progress], None]

_WATCHERS: ContextVar[tuple[Watcher, ...]] = ContextVar("pdr_dspy_watchers", default=())


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Runs begun inside say to `watcher`, too, how far they have come.

    Args:
        watcher: Called with each `Progress`. What it raises is logged and ends nothing.
    """
    token = _WATCHERS.set((*_WATCHERS.get(), watcher))
    try:
        yield
    finally:
        _WATCHERS.reset(token)


def say(progress: Progress) -> None:
    """Tell those who watch."""
    for watcher in _WATCHERS.get():
        try:
            watcher(progress)
        except Exception:
            _log.warning("a watcher of a run's progress failed", exc_info=True)


def telling(stage: Stage, number: int, work: Sequence[Coroutine[Any, Any, T]]) -> list[Coroutine[Any, Any, T]]:
    """The calls of a step that begins now, each of which says when it has come back.

    Args:
        stage: The step's stage.
        number: Its round, from 0.
        work: The calls; those that are cancelled have not come back.
    """
    came = 0

    def back() -> None:
        nonlocal came
        came += 1
        say(Progress(stage, number, came, len(work)))

    async def told(call: Coroutine[Any, Any, T]) -> T:
        try:
            result = await call
        except CallError:
            back()
            raise
        back()
        return result

    say(Progress(stage, number, 0, len(work)))
    return [told(call) for call in work]
