"""The seed of a run: the program's seed and the problem. Pure.

Two problems must not share their random numbers, or their errors come together; and the same problem must get the
same seed in every process, so that what was drawn once is found again. So the problem is known by its content: not by
an id (which a program has not), a hash of Python's (which differs by process) or an address in memory.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import chain
from typing import Any

from pydantic import BaseModel

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")


def run_seed(seed: int, inputs: Mapping[str, Any]) -> int:
    """The seed of a program's run on one problem.

    Args:
        seed: The program's.
        inputs: The problem's input fields by name, of any types; their order does not count.
    """
    return int.from_bytes(_digest(b"run", [str(seed).encode(), content(inputs)])[:8], "big")


def printed(value: Any) -> str:
    """How a value prints, without addresses in memory: the same in every process."""
    return _ADDRESS.sub("", repr(value))


def content(value: Any) -> bytes:
    """A digest of what a value says: equal for equal values of one type, in every process.

    Plain data, dataclasses, enums and pydantic models are read field by field; of any other object its attributes
    count, or how it prints, addresses aside.
    """
    return _content(value, ())


def _content(value: Any, within: tuple[int, ...]) -> bytes:
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}".encode()
    if id(value) in within:
        return _digest(name, [b"itself"])  # a value that holds itself
    within = (*within, id(value))
    if isinstance(value, Enum):
        return _digest(name, [value.name.encode("utf-8", "surrogatepass")])
    if isinstance(value, str):
        return _digest(b"str", [value.encode("utf-8", "surrogatepass")])
    if isinstance(value, bytes | bytearray | memoryview):
        return _digest(b"bytes", [bytes(value)])
    if value is None or isinstance(value, bool | int | float | complex):
        return _digest(name, [repr(value).encode() if not isinstance(value, int) else b"%x" % value])
    if isinstance(value, Mapping):
        return _digest(b"map", chain.from_iterable(sorted(_pairs(value, within))))
    if isinstance(value, list | tuple):
        return _digest(b"list", [_content(item, within) for item in value])
    if isinstance(value, set | frozenset):
        return _digest(b"set", sorted(_content(item, within) for item in value))
    return _digest(name, [_parts(value, within)])


def _parts(value: Any, within: tuple[int, ...]) -> bytes:
    """What an object holds."""
    kind: Any = type(value)
    if isinstance(value, BaseModel):
        return _content({**value.__dict__, **(value.__pydantic_extra__ or {})}, within)
    if dataclasses.is_dataclass(value):
        return _content({f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, within)
    if callable(listed := getattr(value, "tolist", None)):  # arrays print in part
        return _content(listed(), within)
    if callable(given := getattr(value, "toDict", None)):  # DSPy's examples and predictions
        return _content(given(), within)
    if kind.__repr__ is object.__repr__ and getattr(value, "__dict__", None):
        return _content(dict(value.__dict__), within)
    return _content(printed(value), within)


def _pairs(value: Mapping[Any, Any], within: tuple[int, ...]) -> Iterable[tuple[bytes, bytes]]:
    return [(_content(key, within), _content(item, within)) for key, item in value.items()]


def _digest(kind: bytes, parts: Iterable[bytes]) -> bytes:
    found = hashlib.sha256(kind)
    for part in parts:
        found.update(b"\x00%d:" % len(part))
        found.update(part)
    return found.digest()
