"""The one scrubber for whatever leaves the process: terminals, reports, the tracker, error messages.

It takes out every secret that this process knows, however it is spelled (see `spelled`): the values of variables that
are named like secrets, passwords in the environment's addresses and in those of the command line, and every `Secret`
that is alive. Beside them it takes out what looks like a credential (see `credentials`).

A value of less than 8 characters (`EMPTY`, `none`, `test`) is hidden where it is seen to be a credential alone, for
else ordinary text would turn into stars; so is a password that is the same as the user's name.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pdr_dspy.characters import with_texts
from pdr_dspy.secrets.credentials import STARS, passwords_of, without_credentials
from pdr_dspy.secrets.secret import Secret, alive
from pdr_dspy.secrets.spelled import ALONE, Spellings, hidden

_SECRET = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|PAT|PASS|PASSWORD|PASSWD|PASSPHRASE|PWD)$|SECRET|PASSWORD|APIKEY", re.IGNORECASE
)
_NONE = frozenset({"PWD", "OLDPWD"})  # directories
_USER = re.compile(r"://([^:/@\s]*):")


def redacted(text: str) -> str:
    """A text without secrets that this process knows, and without what looks like a credential."""
    return without_credentials(without_known(text))


def redacted_json(value: Any) -> Any:
    """JSON whose texts are `redacted`, names and values: in what it is written as, an escape could lose its end."""
    return with_texts(value, redacted)


def without_known(text: str, environ: Mapping[str, str] | None = None, words: Sequence[str] | None = None) -> str:
    """A text without secrets that this process knows; else it stays what it is, to the byte.

    Args:
        text: Any text.
        environ: The environment; default: the process's.
        words: The command line; default: the process's.
    """
    found = known(os.environ if environ is None else environ, sys.argv if words is None else words)
    return hidden(text, _spellings(found), STARS) if found else text


def known(environ: Mapping[str, str], words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Secrets (each as it is used, and as it was written) of an environment, of a command line and of this program."""
    found = dict.fromkeys((*_of_variables(environ), *_of_words(words), *alive()))
    return tuple(pair for pair in found if len(pair[0]) >= ALONE)


def is_secret(variable: str) -> bool:
    """Whether an environment variable's name says that its value is a secret."""
    return variable.upper() not in _NONE and _SECRET.search(variable) is not None


def _of_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if is_secret(name):
            yield Secret(value, name, local=True).spelled
        elif "@" in value or "=" in value:
            yield from _of_word(value, proxy=name.lower().endswith("_proxy"))


def _of_words(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        yield from _of_word(word)


def _of_word(word: str, *, proxy: bool = False) -> Iterator[tuple[str, str]]:
    users = set(_USER.findall(word))
    return ((value, value) for value in passwords_of(word, proxy=proxy) if value not in users)


@lru_cache(maxsize=4)
def _spellings(found: tuple[tuple[str, str], ...]) -> tuple[Spellings, ...]:
    return tuple(Spellings(value, written) for value, written in found)
