"""Worksheets by their spec: `worksheets:lines=6,count=200,seed=0,split=search`."""

from __future__ import annotations

from collections.abc import Mapping

from pdr_dspy.data.problem import Problem
from pdr_dspy.data.worksheets import SPLITS, worksheets
from pdr_dspy.errors import DataError, InputError

_OPTIONS: Mapping[str, int] = {"lines": 4, "count": 200, "seed": 0}


def worksheets_of(text: str) -> list[Problem]:
    """The worksheets that what stands after `worksheets:` asks for.

    Raises:
        DataError: an unknown option, or a value that is none.
    """
    mend = "Write worksheets:lines=6,count=200,seed=0,split=search (each may be left out)."
    numbers, split = dict(_OPTIONS), ""
    seen: set[str] = set()
    for part in text.split(",") if text else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in (*_OPTIONS, "split") or key in seen:
            raise DataError("data", f"worksheets has no option {part!r}, or has it twice", mend)
        seen.add(key)
        if key == "split":
            split = value
        elif value.isdecimal() and len(value) < 8:
            numbers[key] = int(value)
        else:
            raise DataError("data", f"worksheets: {key} is {value!r}, no number", mend)
    known = next((each for each in SPLITS if each == split), None)
    if split and known is None:
        raise DataError("data", f"worksheets: there is no split {split!r}", f"Use one of {', '.join(SPLITS)}.")
    lines, count, seed = numbers["lines"], numbers["count"], numbers["seed"]
    try:
        if known is not None:
            made = worksheets(count, lines, known, seed)
        else:
            # In turns, so that a limit leaves as many of either.
            search = worksheets((count + 1) // 2, lines, "search", seed)
            report = worksheets(count // 2, lines, "report", seed)
            made = [*search, *report]
            made[0::2], made[1::2] = search, report
    except InputError as error:
        raise DataError("data", f"worksheets: {error.problem}", error.mend) from error
    if not made:
        raise DataError("data", "worksheets: count is 0", mend)
    return made
