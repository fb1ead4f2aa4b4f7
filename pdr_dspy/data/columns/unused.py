"""Columns that look like the options of multiple-choice problems and are not read. Pure."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from pdr_dspy.data.cells import is_missing
from pdr_dspy.data.columns.choices import NoOptions, options_of
from pdr_dspy.data.columns.columns import OPTION_COLUMNS, as_words
from pdr_dspy.data.columns.paths import find, paths

_LISTS = {*OPTION_COLUMNS, "option", "choice", "candidates", "alternatives", "endings", "answer_choices", "mc_options"}
_ORDER = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "123456789")
_FAMILY = re.compile(r"(?P<name>|op|opt|options?|choices?|answers?|ans|alternatives?|endings?|candidates?|sol)[ _.-]*"
                     r"(?P<mark>[a-z]|\d)", re.IGNORECASE)  # fmt: skip
_RIGHT = re.compile(r"(?:correct|right|best)[ _-]*(?:answer|option|choice)", re.IGNORECASE)
_WRONG = re.compile(
    r"(?:(?:incorrect|wrong|false|distracting)[ _-]*(?:answer|option|choice)s?|distractors?)[ _-]*\d?", re.IGNORECASE
)


def unused_options(cells: Mapping[str, Any], used: Collection[str | None]) -> str | None:
    """What to pass so that options which a table has are read: `--options A,B,C,D`. None: it has none.

    Args:
        cells: A row.
        used: Columns that are read already.
    """
    left = [name for name in map(str, cells) if name not in used]
    right = [name for name in left if _RIGHT.fullmatch(name)]
    wrong = [name for name in left if _WRONG.fullmatch(name)]
    if len(right) == 1 and wrong:
        return f"--options {_shown(*right, *wrong)} --answer {shlex.quote(right[0])}"
    for path in paths(cells):
        name = path if path in left else path.rpartition(".")[0]
        if name in left and path.rpartition(".")[2].casefold() in _LISTS and _holds(find(cells, path)):
            return f"--options {_shown(path)}"
        # Of an object with a list of texts and one of labels the paths are those of the lists.
        above = path.rpartition(".")[0]
        if above and above not in used and above.rpartition(".")[2].casefold() in _LISTS and _holds(find(cells, above)):
            return f"--options {_shown(above)}"
    families: dict[str, dict[str, str]] = defaultdict(dict)
    for name in left:
        if (match := _FAMILY.fullmatch(name)) and (match["name"] or match["mark"].isalpha()):
            families[match["name"].casefold()][match["mark"].casefold()] = name
    for family in families.values():
        for order in _ORDER:
            columns = [family[mark] for mark in order[: len(family)] if mark in family]
            if len(columns) == len(family) > 1 and sum(not is_missing(cells[name]) for name in columns) > 1:
                return f"--options {_shown(*columns)}"
    return None


def _holds(value: Any) -> bool:
    try:
        options_of(value)
    except NoOptions:
        return False
    return True


def _shown(*names: str) -> str:
    return shlex.quote(as_words(names))
