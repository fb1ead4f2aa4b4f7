"""A value that must not be shown: an API key.

It prints as stars and goes into no pickle or JSON; `reveal()` is the one way to it, called where a request is made.
`scrub` takes it out of other people's text (a server that echoes the key in its error message).
"""

from __future__ import annotations

from typing import NoReturn

_STARS = "***"


class Secret:
    """An API key, or none (`Secret("")`, which is falsy)."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself."""
        return self._value

    def scrub(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._value, _STARS) if self._value else text

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({_STARS if self._value else ''})"

    __str__ = __repr__

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not saved: give the key again where it is needed")
