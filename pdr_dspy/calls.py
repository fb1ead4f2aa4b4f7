"""Which call this is: a tag that travels beside a request, from the workflow engine to the endpoint.

DSPy's canonical engine contract carries only what is sent to the model. What the ledger and the store need besides
(stage, round, index, thinking cap) goes through a context variable, so that a plain `dspy.Predict` stays plain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CallTag:
    """One call's place in a run.

    Attributes:
        stage: `draft`, `refine`, `distill`, `pick`, `analyse`, or `other` for a call outside a workflow.
        run: Id of the workflow run the call belongs to; "" outside one. A program may hold several runs.
        step: Number of the run's sequential step (0, 1, 2, ...). Calls of one step run in parallel.
        round: Round of the workflow the call belongs to (from 0).
        index: Number of the call among its step's (from 0).
        sample: Which independent repetition of the problem (from 0); fresh samples have fresh numbers.
        problem: The problem's id, or "" where there is none. For people only: it is no part of a store key.
        thinking: Cap on thinking tokens, or None where the call has none.
        answer: Cap on the tokens after the thinking, or None.
        timeout: Seconds the call may still take, or None.
        outputs: The output fields that the call is to write, or None where nobody says.
        more: Asked for tokens of the problem's `total` before a second request of the call, where none were set aside
            for it; raises `BudgetExhausted` where there are none. None: nobody need be asked.
    """

    stage: str = "other"
    run: str = ""
    step: int = 0
    round: int = 0
    index: int = 0
    sample: int = 0
    problem: str = ""
    thinking: int | None = None
    answer: int | None = None
    timeout: float | None = None
    outputs: tuple[str, ...] | None = None
    more: Callable[[int], None] | None = field(default=None, compare=False, repr=False)


_TAG: ContextVar[CallTag | None] = ContextVar("pdr_dspy_call_tag", default=None)


def current_tag() -> CallTag:
    """The tag of the call being made here (a plain `other` tag outside a workflow)."""
    return _TAG.get() or CallTag()


@contextmanager
def tagged(tag: CallTag) -> Iterator[None]:
    """Calls made inside carry this tag."""
    token = _TAG.set(tag)
    try:
        yield
    finally:
        _TAG.reset(token)
