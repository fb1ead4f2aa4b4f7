"""The field of a signature that a column becomes. Its own name wherever DSPy can take it. Pure."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection

import dspy

_ARGUMENTS = frozenset({"self", "config", "demos", "lm", "signature", "new_signature", "prediction", "callbacks"})
"""Arguments of DSPy's calls: an input of that name would be taken for one."""

_NO_LETTERS = re.compile(r"\W+")


def usable(name: str) -> bool:
    """Whether DSPy takes a field of this name, as input and as output."""
    return (
        name.isidentifier()
        and not keyword.iskeyword(name)
        and not name.startswith("_")
        and name not in _ARGUMENTS
        and not hasattr(dspy.Signature, name)
    )


def field_name(path: str, taken: Collection[str], *, answer: bool = False) -> str:
    """The field's name for a column, or for a cell within one.

    Args:
        path: The column's name, or the path of a cell.
        taken: Names that the field can't have.
        answer: The field is what a program is to give: where the column's name won't do, it is called `answer`.
    """
    if usable(path) and path not in taken:
        return path
    last = path.rpartition(".")[2]
    if answer:
        wanted = "answer"
    elif last != path and usable(last):
        wanted = last
    else:
        wanted = _NO_LETTERS.sub("_", last if "." in path else path).strip("_")
        if not usable(wanted):
            wanted = f"{wanted}_text".lstrip("_")
        if not usable(wanted):
            wanted = "input_text"
    made, number = wanted, 2
    while made in taken:
        made, number = f"{wanted}_{number}", number + 1
    return made
