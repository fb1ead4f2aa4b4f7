"""The parts of an enumeration as texts. Pure, on bounded texts."""

from __future__ import annotations

import re

from pdr_dspy.answers.relations import top_level

_SEPARATOR = re.compile(
    r"\s*(?:[,;\n]|\\q?quad(?![a-z]))\s*(?:(?:and|or)\b\s*)?|\s+(?:and|or|by|&|\\text ?\{ ?(?:and|or) ?\}"
    r"|\\(?:lor|land|vee|wedge)(?![a-z]))\s+"
)
_GROUPS = re.compile(r"(?<![0-9.])[1-9][0-9]{0,2}(?:,[0-9]{3})*\Z")  # the thousands before a comma
_THREE = re.compile(r"[0-9]{3}(?![0-9])")


def split(text: str) -> list[str]:
    """The parts of an enumeration: at commas, semicolons, lines, "and", "or", "by".

    Where something else than a bare comma separates (`1,000; 2`, `1,000 and 2`), one between thousands does not.
    """
    depths = top_level(text)
    separators = [found for found in _SEPARATOR.finditer(text) if not depths[found.start()]]
    loose = any(found[0] != "," for found in separators)
    items, place = [], 0
    for found in separators:
        item = text[place : found.start()]
        if loose and found[0] == "," and _GROUPS.search(item) and _THREE.match(text, found.end()):
            continue
        items.append(item.strip())
        place = found.end()
    items.append(text[place:].strip())
    return [item for item in items if item]
