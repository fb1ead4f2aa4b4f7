"""`--spend`: what a whole study may generate. Pure."""

from __future__ import annotations

from pdr_dspy.budget import parse_budget
from pdr_dspy.errors import BudgetError, InputError


def parse_spend(text: str) -> int:
    """The limit, in generated tokens, of a text such as `tokens=50m`.

    Raises:
        InputError: not such a text.
    """
    mend = "Write it like tokens=50m (k = 1000, m = 1000000)"
    try:
        budget = parse_budget(text)
    except BudgetError as error:
        raise InputError("--spend", error.problem, mend) from error
    if budget.tokens is None or budget.total is not None or budget.seconds is not None:
        raise InputError("--spend", f"{text!r} is not a number of tokens", mend)
    return budget.tokens
