"""Credentials that a text shows to be some: in addresses, parameters and headers. Pure, in linear time.

A password may hold `/`, `@` and `:` as it is (SQLAlchemy and libpq take it so), and then ends at the last `@`.
What stands before an `@` alone is a token in a web address, in others (`postgresql://me@host`) the name of a user.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

from pdr_dspy.secrets.spelled import PACKED

STARS = "***"

_MOST = 512  # characters of one credential: a search from every `://` on must not read the whole text each time
_PARAMETER = (
    r"(?i:(?<![a-z0-9])(?:password|passwd|pwd|passphrase|(?:access|auth|refresh|id|session)[-_]?token|token|api[-_]?key"
    r"|(?:client[-_]?)?secret|x-amz-signature|sig)=)"
)
_VALUE = rf"(?!\*\*\*)(?:'[^'\n]{{1,{_MOST}}}'|\"[^\"\n]{{1,{_MOST}}}\"|[^&\s\"'<>;,()]{{1,{_MOST}}})"
_PORT = r"(?!\d{1,5}(?:[/?#\s\"'),;]|$))"  # `http://host:8000/x@y` has a port, no password

_WORD = re.compile(
    rf"(://[^:/@\s]*):(.*)@|(?<=http://)([^:/@\s]+)@|(?<=https://)([^:/@\s]+)@|({_PARAMETER})([^&\s]*)", re.DOTALL
)
_PROXY = re.compile(r"(?:[a-z0-9+.-]+://)?[^:/@]*:(.*)@", re.DOTALL | re.IGNORECASE)
_TEXT = re.compile(
    rf"(?P<user>://[^\s:/@?#\"'<>]{{0,{_MOST}}}):{_PORT}[^\s\"'<>]{{0,{_MOST}}}@"
    rf"|(?:(?<=http://)|(?<=https://))[^/\s@:?#\"'<>]{{1,{_MOST}}}@"
    rf"|(?P<parameter>{_PARAMETER}){_VALUE}"
    r"|(?P<header>(?i:authorization|x-api-key|api-key)[\"']{0,2}\s{0,4}[:=,]\s{0,4}(?:b(?=[\"']))?+[\"']?+"
    r"(?i:(?:bearer|basic|token)\s+)?+)"
    rf"(?!\*\*\*)[^\s\"'<>,;]{{1,{_MOST}}}"
    rf"|(?<=Bearer )(?!\*\*\*)[^\s\"'<>]{{1,{_MOST}}}"
    r"|\b(?:sk|hf|ghp|gho|ghs|github_pat|glpat|xox[abp])[-_][A-Za-z0-9_-]{16,}|\bAKIA[A-Z0-9]{16}\b"
)


def without_credentials(text: str) -> str:
    """A text of any kind without what looks like a credential."""
    kept: list[str] = []
    done = 0
    for packed in PACKED.finditer(text):
        kept += [_TEXT.sub(_masked, text[done : packed.start()]), packed[0]]
        done = packed.end()
    return "".join([*kept, _TEXT.sub(_masked, text[done:])])


def _masked(found: re.Match[str]) -> str:
    if found["user"] is not None:
        return f"{found['user']}:{STARS}@"
    if found["parameter"] is not None or found["header"] is not None:
        return f"{found['parameter'] or found['header']}{STARS}"
    return f"{STARS}@" if found[0].endswith("@") else STARS


def without_password(word: str) -> str:
    """One word of a command line, or an address, without its password (which may hold white space, too)."""
    return _WORD.sub(_hidden, word)


def _hidden(found: re.Match[str]) -> str:
    if found[1] is not None:
        return f"{found[1]}:{STARS}@"
    return f"{found[5]}{STARS}" if found[5] is not None else f"{STARS}@"


def passwords_of(word: str, *, proxy: bool = False) -> Iterator[str]:
    """The passwords in one word of a command line or in a variable's value, as they are and with `%41` undone.

    Args:
        word: The word.
        proxy: Whether it is a proxy's address, which needs no scheme.
    """
    found = [value for match in _WORD.finditer(word) for value in (match[2], match[3], match[4], match[6]) if value]
    if proxy and (match := _PROXY.match(word)):
        found.append(match[1])
    for value in found:
        yield from dict.fromkeys((value, unquote(value), unquote_plus(value)))
