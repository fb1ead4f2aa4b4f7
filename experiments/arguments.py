"""Kinds of command-line arguments, for `argparse`'s `type`. Each says what is wrong with a text that is none."""

from __future__ import annotations

import argparse
import math

_MOST = 2**31 - 1


def count(text: str) -> int:
    """A whole number of 1 or more."""
    if not _whole(text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def whole(text: str) -> int:
    """A whole number of 0 or more, as seeds are."""
    if not _whole(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {_MOST}")
    return int(text)


def minutes(text: str) -> float:
    """A number of minutes above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes above 0")
    return value


def _whole(text: str) -> bool:
    return text.isdecimal() and len(text) <= len(str(_MOST)) and int(text) <= _MOST
