"""Secrets that are looked for: each is one word that stands nowhere else, searched for in every spelling."""

from __future__ import annotations

import base64
import html
import json
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TELLING = 12
"""Characters from the beginning of a secret by which it is known where the rest was cut off."""


@dataclass(frozen=True)
class Canary:
    """A secret, and the user whose password it is ("" for a key)."""

    name: str
    value: str
    user: str = ""

    def spellings(self) -> Iterator[str]:
        """What must not be found."""
        value = self.value
        for text in dict.fromkeys((value, value[:TELLING])):
            yield from (text, repr(text)[1:-1], repr(repr(text))[2:-2], json.dumps(text)[1:-1], html.escape(text))
            for safe in ("", "/", "/:@"):
                quoted = urllib.parse.quote(text, safe=safe)
                yield from (quoted, _lower(quoted), urllib.parse.quote(quoted, safe=""), quoted.replace("%", "%%"))
            yield text.encode().hex()
        for whole in (value, f"{self.user}:{value}", f"Bearer {value}"):
            data = whole.encode()
            for before in range(3):
                digits = base64.b64encode(bytes(before) + data).decode()
                inner = digits[-(-8 * before // 6) : 8 * (before + len(data)) // 6]
                yield from (inner, base64.b64encode(inner.encode()).decode().rstrip("="))
                yield inner.translate(str.maketrans("+/", "-_"))


def found(canaries: tuple[Canary, ...], name: str, data: bytes) -> list[str]:
    """What of the secrets is in a file, whatever its case."""
    seen = data.lower()
    return [
        f"{canary.name} in {name}: {seen[max(0, at - 60) : at + 60]!r}"
        for canary in canaries
        if (at := next((p for s in canary.spellings() if (p := seen.find(s.lower().encode())) >= 0), -1)) >= 0
    ]


def found_below(canaries: tuple[Canary, ...], directory: Path) -> list[str]:
    """What of the secrets is in the names and contents of the files of a directory."""
    leaks = []
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        leaks += found(canaries, "a name", name.encode())
        if path.is_file() and not path.is_symlink():
            leaks += found(canaries, name, path.read_bytes())
    return leaks


def _lower(quoted: str) -> str:
    first, *others = quoted.split("%")
    return first + "".join(f"%{part[:2].lower()}{part[2:]}" for part in others)
