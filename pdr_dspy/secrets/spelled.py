r"""The ways a secret may be spelled in somebody else's text, and the text without any of them.

A text is looked through as it is and with its escapes undone: backslashes (`\x41`, `\u0041`, `\"`), per cent (`%41`),
HTML (`&#65;`), line breaks, one after another in every order, a few times over. In each of these readings the secret is
looked for itself, in base64 (also within a longer text that is, as in `Basic`), and in hexadecimal digits. Pure.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

PLACEHOLDER = 4
"""Characters: a shorter value is hidden only where the text says that it is a key."""

ALONE = 8
"""Characters: a shorter value is hidden only where it stands alone."""

PACKED = re.compile(r"[A-Za-z0-9+/=]{65536,}")
"""Packed data (a script, a picture), in which nothing is escaped."""

_TELLING = 12  # characters from the beginning that are hidden even where the rest is missing (a text that was cut)
_DEPTH = 4  # escapes within escapes
_READINGS = 64  # of one text at most
_FEWEST = 5  # even of a long one: as it is, and each kind of escape undone
_LOOKED_AT = 2**21  # characters of all readings together, where they are more than the fewest
_NAMED = r"(?i:bearer\s+|api[-_ ]?key\W{1,4}|authorization\W{1,4})"
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}

_SLASHED = re.compile(
    r"(?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u\{[0-9a-fA-F]{1,6}\}|\\u[0-9a-fA-F]{4}"
    r"|\\U[0-9a-fA-F]{8}|(?:\\x[0-9a-fA-F]{2})+|\\[0-3][0-7]{2}|\\.)",
    re.DOTALL,
)
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-z]{2,6});")
_BREAK = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text with escapes undone, and where in the original each of its characters begins and ends."""

    text: str
    begins: tuple[int, ...] | range
    ends: tuple[int, ...] | range

    def __str__(self) -> str:
        return self.text

    def undone(self, escape: re.Pattern[str], plain: Callable[[str], str]) -> _Reading | None:
        """The text with one kind of escape undone, or None where there is none."""
        text: list[str] = []
        begins: list[int] = []
        ends: list[int] = []
        done = 0
        for found in escape.finditer(self.text):
            meant = plain(found[0])
            text += [self.text[done : found.start()], meant]
            begins += [*self.begins[done : found.start()], *[self.begins[found.start()]] * len(meant)]
            ends += [*self.ends[done : found.start()], *[self.ends[found.end() - 1]] * len(meant)]
            done = found.end()
        if not done:
            return None
        whole = "".join([*text, self.text[done:]])
        return _Reading(whole, (*begins, *self.begins[done:]), (*ends, *self.ends[done:]))


class Spellings:
    """All ways to spell a value; `hidden` takes them out of a text.

    Args:
        value: The value.
        raw: As it was written, with what surrounded it.

    Attributes:
        needles: What is looked for.
    """

    def __init__(self, value: str, raw: str) -> None:
        self._placeholder = re.compile(f"{_NAMED}(?P<value>{re.escape(value)})") if len(value) < PLACEHOLDER else None
        encoded = [text for data in (value, raw) for text in _encoded(data) if len(text) >= ALONE]
        self.needles = tuple(dict.fromkeys([value, value.replace(" ", "+"), *encoded]))

    def may_be_in(self, text: str) -> bool:
        """Whether the value may be found in a reading of a text; cheap."""
        return self._placeholder is not None or any(needle[:_TELLING] in text for needle in self.needles)

    def places(self, reading: _Reading) -> Iterator[tuple[int, int]]:
        """Where in the original of a reading the value begins and ends."""
        text = reading.text
        if self._placeholder is not None:
            found = ((m.start("value"), m.end("value")) for m in self._placeholder.finditer(text))
        else:
            found = (place for needle in self.needles for place in _found(text, needle))
        for begin, end in found:
            yield reading.begins[begin], reading.ends[end - 1]


def hidden(text: str, spellings: Sequence[Spellings], stars: str) -> str:
    """The text, with stars instead of each of these values."""
    kept: list[str] = []
    done = 0
    for packed in PACKED.finditer(text):
        kept += [_hidden(text[done : packed.start()], spellings, stars), _hidden(packed[0], spellings, stars, 1)]
        done = packed.end()
    return "".join([*kept, _hidden(text[done:], spellings, stars)])


def _hidden(text: str, spellings: Sequence[Spellings], stars: str, most: int = _READINGS) -> str:
    most = min(most, max(_FEWEST, _LOOKED_AT // max(1, len(text))))
    # Nearly no text holds one, and to keep track of where a reading's characters come from is dear: first without.
    plain = list(_readings(text, _undone_text, most))
    if not (present := [s for s in spellings if any(s.may_be_in(reading) for reading in plain)]):
        return text
    readings = _readings(_Reading(text, range(len(text)), range(1, len(text) + 1)), _Reading.undone, most)
    places = sorted({place for reading in readings for each in present for place in each.places(reading)})
    kept: list[str] = []
    done = 0
    for begin, end in places:
        if begin >= done:
            kept += [text[done:begin], stars]
        done = max(done, end)
    return "".join([*kept, text[done:]])


def _readings(
    text: T, undone: Callable[[T, re.Pattern[str], Callable[[str], str]], T | None], most: int
) -> Iterator[T]:
    """A text as it is and with its escapes undone, in every order, so many at most."""
    readings = [text]
    seen = {str(text)}
    for _ in range(_DEPTH + 1):
        yield from readings
        further: list[T] = []
        for reading in readings:
            for escape, plain in _ESCAPES:
                if len(seen) >= most:
                    break
                other = undone(reading, escape, plain)
                if other is not None and str(other) not in seen:
                    seen.add(str(other))
                    further.append(other)
        readings = further


def _undone_text(text: str, escape: re.Pattern[str], plain: Callable[[str], str]) -> str | None:
    return escape.sub(lambda found: plain(found[0]), text)


def _found(text: str, needle: str) -> Iterator[tuple[int, int]]:
    head = needle[:_TELLING]
    at = text.find(head)
    while at >= 0:
        end = at + len(head)
        while end - at < len(needle) and text[end : end + 1] == needle[end - at]:
            end += 1
        around = text[at - 1 : at] if at else "", text[end : end + 1]
        if len(needle) >= ALONE or not any(beside.isalnum() for beside in around):
            yield at, end
        at = text.find(head, at + 1)


def _encoded(value: str) -> Iterator[str]:
    """Base64, wherever in a longer text it begins, and hexadecimal digits."""
    data = value.encode("utf-8", "surrogatepass")
    for offset in range(3):
        digits = base64.b64encode(bytes(offset) + data + bytes(2)).decode()
        inner = digits[-(-8 * offset // 6) : 8 * (offset + len(data)) // 6]  # what nothing beside it has a part in
        yield from (inner, inner.replace("+", "-").replace("/", "_"))
    yield from (data.hex(), data.hex().upper())


def _unslashed(escape: str) -> str:
    kind, digits = escape[1], escape[2:].strip("{}")
    if kind == "x":
        return _text(bytes.fromhex(escape.replace("\\x", "")))
    if kind == "u" and "\\" in digits:
        return bytes.fromhex(digits.replace("\\u", "")).decode("utf-16-be", "surrogatepass")
    if kind in "uU" and digits:
        return chr(min(int(digits, 16), 0x10FFFF))
    return chr(int(escape[1:], 8)) if len(escape) == 4 else _SHORT.get(kind, kind)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


_ESCAPES: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (_SLASHED, _unslashed),
    (_PERCENT, lambda escape: _text(bytes.fromhex(escape.replace("%", "")))),
    (_ENTITY, html.unescape),
    (_BREAK, lambda _: ""),
)
