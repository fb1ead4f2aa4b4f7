"""Options of multiple-choice problems, however a table holds them, and answers as letters. Pure."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from pdr_dspy.data.cells import as_text, is_missing
from pdr_dspy.data.columns.paths import structure

LETTERS = ascii_uppercase

_TEXTS = ("text", "texts", "choices", "options")
_LABELS = ("label", "labels", "key", "keys")
_LETTERED = re.compile(r"\s*\(?([A-Za-z])[).:]\)?\s*(.*)", re.DOTALL)
_LETTER = re.compile(r"\(?([A-Za-z])[).:]?\)?")


class NoOptions(ValueError):
    """A cell that can't be read as a list of options."""


@dataclass(frozen=True)
class Options:
    """A problem's options.

    Attributes:
        texts: In the order in which they are shown.
        labels: What the table calls them (`1`, `a`, ...), or empty.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 2 <= len(self.texts) <= len(LETTERS):
            raise NoOptions(f"there are {len(self.texts)} options, not 2 to {len(LETTERS)}")

    def below(self, problem: str) -> str:
        """The problem with the options below it, a lettered line each; as it is where it shows them already."""
        if self.shown_in(problem):
            return problem
        lines = (f"{letter}) {text}" for letter, text in zip(LETTERS, self.texts, strict=False))
        return "\n".join([f"{problem.rstrip()}\n", *lines])

    def shown_in(self, problem: str) -> bool:
        """Whether a text has every option behind its letter."""
        return all(
            re.search(rf"(?<!\w)\(?{letter}[).:]\s*{re.escape(text)}", problem)
            for letter, text in zip(LETTERS, self.texts, strict=False)
        )

    def in_hashed_order(self, problem: str) -> Options:
        """The same options in an order that follows from the problem, whatever order the table has."""

        def key(place: int) -> bytes:
            return hashlib.sha256(f"{problem}\0{self.texts[place]}".encode()).digest()

        order = sorted(range(len(self.texts)), key=key)
        labels = tuple(self.labels[place] for place in order) if self.labels else ()
        return Options(tuple(self.texts[place] for place in order), labels)


def options_of(value: Any) -> Options:
    """The options in one cell: a list of texts, `{"text": [...], "label": [...]}`, `{"A": "...", "B": "..."}`, or a
    list of `{"label": "A", "text": "..."}`; as JSON or as Python writes it, where a table holds text alone.

    Raises:
        NoOptions: it is none of these.
    """
    found = _literal(value) if isinstance(value, str) else value
    if isinstance(found, Mapping):
        texts = next((found[name] for name in _TEXTS if isinstance(found.get(name), list)), None)
        if texts is not None:
            labels: list[Any] = next((found[name] for name in _LABELS if isinstance(found.get(name), list)), [])
            return _made(texts, labels if len(labels) == len(texts) else [])
        kept = {name: text for name, text in found.items() if not is_missing(text)}
        return _made(list(kept.values()), list(kept))
    if isinstance(found, list) and found and all(isinstance(each, Mapping) for each in found):
        texts = [next((each[name] for name in ("text", "value", "content") if name in each), None) for each in found]
        labels = [next((each[name] for name in ("label", "key", "id") if name in each), None) for each in found]
        return _made(texts, [] if None in labels else labels)
    if isinstance(found, list):
        return _made(found, [])
    raise NoOptions("it is no list of options")


def in_columns(values: Sequence[Any]) -> Options:
    """Options that have a column each; empty cells are left out."""
    return _made([value for value in values if not is_missing(value)], [])


def _made(texts: list[Any], labels: list[Any]) -> Options:
    if any(is_missing(text) for text in texts):
        raise NoOptions("an option is empty")
    shown = [as_text(text).strip() for text in texts]
    parts = [_LETTERED.fullmatch(text) for text in shown]
    lettered = [(part[1].upper(), part[2]) for part in parts if part]
    if len(lettered) == len(shown) and "".join(letter for letter, _ in lettered) == LETTERS[: len(shown)]:
        shown = [text for _, text in lettered]
    return Options(tuple(shown), tuple(as_text(label).strip() for label in labels))


def _literal(text: str) -> Any:
    found = structure(text)
    if isinstance(found, str) and found.strip()[:1] in ("[", "{"):
        try:
            return ast.literal_eval(found.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return found
    return found


def as_label(options: Options, answer: str) -> int | None:
    """The place of the option that the table calls by this label."""
    labels = [label.casefold() for label in options.labels]
    return labels.index(answer.casefold()) if labels.count(answer.casefold()) == 1 else None


def as_letter(options: Options, answer: str) -> int | None:
    """The place that a letter names: `B`, `(b)`, `B.`; also before the option's own text."""
    match = _LETTER.fullmatch(answer)
    if match is None and (whole := _LETTERED.fullmatch(answer)):
        place = LETTERS.find(whole[1].upper())
        return place if place < len(options.texts) and _words(options.texts[place]) == _words(whole[2]) else None
    place = LETTERS.find(match[1].upper()) if match else -1
    return place if 0 <= place < len(options.texts) else None


def as_option(options: Options, answer: str) -> int | None:
    """The place of the one option with this text; where none has it to the letter, but for upper and lower case."""
    found = with_text(options, answer)
    return found[0] if len(found) == 1 else None


def with_text(options: Options, answer: str) -> list[int]:
    """The places of the options with this text, as `as_option` compares them."""
    found = [place for place, text in enumerate(options.texts) if _words(text) == _words(answer)]
    if found or len(answer.strip()) == 1:  # of single letters, `A` is the first option, and no other way to write `a`
        return found
    folded = _words(answer.casefold())
    return [place for place, text in enumerate(options.texts) if _words(text.casefold()) == folded]


def as_index(options: Options, answer: str, first: int = 0) -> int | None:
    """The place that a number names."""
    if not (answer.isascii() and answer.isdecimal() and len(answer) < 4):
        return None
    place = int(answer) - first
    return place if 0 <= place < len(options.texts) else None


def _words(text: str) -> list[str]:
    return text.split()
