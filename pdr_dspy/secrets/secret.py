"""A value that must not be shown: an API key.

It prints as stars and goes into no pickle or JSON; `reveal()` is the one way to it, called where a request is made.
`scrub` takes it out of other people's text (a server that echoes the key in its error message), however it is spelled
there (see `spelled`).

What a file or a shell left around the key (white space, a line's end, quotation marks, `Bearer`) is taken off when it
is read. A key of less than 4 characters (`x`) is a placeholder: it is hidden only where a text says that it is a key
(`Bearer x`), for else ordinary text would turn into stars. One of less than 8
(`EMPTY`) is hidden where it stands alone.
"""

from __future__ import annotations

import threading
import unicodedata
import weakref
from typing import Any, NoReturn

from pdr_dspy.characters import with_texts
from pdr_dspy.errors import EndpointError
from pdr_dspy.secrets.credentials import STARS
from pdr_dspy.secrets.spelled import ALONE, Spellings, hidden

_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u201e": "\u201c", "\u2018": "\u2019", "\u00ab": "\u00bb"}
_UNSEEN = " \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff"  # white space, and what a copied text may carry unseen
_BEARER = "bearer "

_alive: weakref.WeakSet[Secret] = weakref.WeakSet()
_lock = threading.Lock()


def alive() -> list[tuple[str, str]]:
    """The keys that this program holds, each as it is used and as it was written."""
    with _lock:
        return [secret.spelled for secret in _alive]


class Secret:
    """An API key, or none (`Secret("")`, which is falsy).

    Args:
        value: The key; what surrounds it is taken off.
        source: Where it was read (the name of a variable), for error messages.
        local: Leave it out of those that the scrubber of all output knows (`redaction`), for it is only looked at.
    """

    __slots__ = ("__weakref__", "_raw", "_source", "_spellings", "_value")

    def __init__(self, value: str = "", source: str = "", *, local: bool = False) -> None:
        self._raw = value
        self._value = _bare(value)
        self._source = source
        self._spellings: Spellings | None = None
        if self._value and not local:
            with _lock:
                _alive.add(self)

    @property
    def spelled(self) -> tuple[str, str]:
        """The key as it is used, and as it was written; not to be shown."""
        return self._value, self._raw

    def reveal(self) -> str:
        """The key itself, without what surrounded it."""
        return self._value

    def checked(self) -> Secret:
        """The secret, if it can be sent.

        Raises:
            EndpointError: there is something in it that no key can have; the error says what, and nothing of the key.
        """
        if fault := _fault(self._value):
            name = self._source or "the key"
            mend = f"Set {self._source} again" if self._source else "Give api_key again"
            raise EndpointError("api key", f"{name} holds {fault}", f"{mend}: the key alone")
        return self

    def scrub(self, text: str, stars: str = STARS) -> str:
        """The text without the key, whichever way it is spelled there."""
        return hidden(text, (self._all(),), stars) if self._value else text

    def scrub_body(self, value: Any) -> Any:
        """JSON without a key of at least 8 characters (a shorter one may be a word of an answer)."""
        return with_texts(value, self._scrubbed) if len(self._value) >= ALONE else value

    def _scrubbed(self, text: str) -> str:
        return self.scrub(text) if self._hinted(text) else text

    def _hinted(self, text: str) -> bool:
        # Most answers are long, and none of them holds the key: what can be had cheaply first.
        return any(needle[:ALONE] in text for needle in self._all().needles)

    def _all(self) -> Spellings:
        if self._spellings is None:
            self._spellings = Spellings(self._value, self._raw)
        return self._spellings

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({STARS if self._value else ''})"

    __str__ = __repr__

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not saved: give the key again where it is needed")


def _bare(value: str) -> str:
    """The key without white space, a pair of quotation marks and `Bearer` around it, in any order."""
    while True:
        kept = value.strip(_UNSEEN).strip()
        if len(kept) >= 2 and _QUOTES.get(kept[0]) == kept[-1]:
            kept = kept[1:-1]
        if f"{kept} "[: len(_BEARER)].lower() == _BEARER:
            kept = kept[len(_BEARER) :]
        if kept == value:
            return kept
        value = kept


def _fault(value: str) -> str:
    """What is in a key that can't be in a header, or ""."""
    if any(unicodedata.category(c) == "Cc" for c in value):
        return "a line break or another control character"
    if not value.isascii():
        return "a character that is not ASCII (a quotation mark or dash of a text editor, perhaps)"
    return ""
