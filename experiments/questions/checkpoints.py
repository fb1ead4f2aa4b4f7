"""The checkpoints that question 4 compares, as the command line has them: the first, and those after it, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.questions.serve import Target, checkpoint, is_address
from pdr_dspy.errors import InputError

USUAL = ("before", "after")
"""Names of the first two where the command line says no others."""

_NAME = r"[A-Za-z0-9_.-]+"


@dataclass(frozen=True)
class Named:
    """One checkpoint of the command line.

    Attributes:
        name: What tables and plots call it.
        where: A folder with weights, or an address.
        option: The option it was given with.
    """

    name: str
    where: str
    option: str


def named(before: Sequence[str] | None, after: Sequence[str] | None) -> tuple[Named, ...]:
    """Every checkpoint with its name, the first one first; none where neither option is given.

    Args:
        before, after: The options' values, each `WHERE` or `NAME=WHERE`.

    Raises:
        InputError: one of the options is missing, or a name is, or stands for two.
    """
    if not before and not after:
        return ()
    if not before or not after:
        option = "--after" if before else "--before"
        raise InputError(option, "it is missing, and two checkpoints are needed", f"Add {option} [NAME=]WHERE")
    if len(before) > 1:
        mend = "Keep one, and give the others with --after"
        raise InputError("--before", f"all are compared with one, and there are {len(before)}", mend)
    given = [("--before", before[0]), *(("--after", text) for text in after)]
    found: list[Named] = []
    for i, (option, text) in enumerate(given):
        made = _named(text, option, USUAL[i] if i < len(USUAL) else None)
        if other := next((n for n in found if n.name == made.name), None):
            problem = f"{other.where} and {made.where} are both called {made.name!r}"
            raise InputError(option, problem, f"Give one another name: {option} NAME={made.where}")
        found.append(made)
    return tuple(found)


def targets(checkpoints: Sequence[Named], model: str | None) -> dict[str, Target]:
    """Where each checkpoint is, by its name.

    Raises:
        InputError: one is neither an address nor a folder.
        EndpointError: a folder is not whole.
    """
    return {c.name: checkpoint(c.where, c.option, model) for c in checkpoints}


def _named(text: str, option: str, usual: str | None) -> Named:
    match = re.fullmatch(rf"({_NAME})=(.*)", text, re.DOTALL)
    # A folder may have a `=` in its name; addresses have other characters before theirs.
    if match and not Path(text).expanduser().is_dir():
        if not match[2]:
            raise InputError(option, f"{text!r} names nothing", f"Write {option} {text}WHERE")
        return Named(match[1], match[2], option)
    name = usual or ("" if is_address(text) else Path(text).expanduser().resolve().name)
    if not re.fullmatch(_NAME, name):
        problem = f"{text} has no folder's name of letters, digits, _, . and - that it could go by"
        raise InputError(option, problem, f"Write {option} NAME={text}")
    return Named(name, text, option)
