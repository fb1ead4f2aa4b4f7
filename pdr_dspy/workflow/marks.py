"""Where in a YAML text a value stands: from a path of keys and indices to the node and its line. Knows only PyYAML."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.constructor import ConstructorError
from yaml.scanner import ScannerError

Path = Sequence[str | int]


LONGEST = 1_000_000
"""Characters of a YAML text at most."""

MOST_VALUES = 100_000
"""Values at most, what an alias stands for counted each time: ten lines of aliases of aliases stand for billions."""


class TooMuch(ValueError):
    """A YAML text that is, or stands for, too much; `mend` says what to write instead."""

    def __init__(self, problem: str, mend: str) -> None:
        self.mend = mend
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A key that stands twice in one mapping, with both lines (from 1)."""

    path: tuple[str | int, ...]
    first: int
    second: int


@dataclass(frozen=True)
class Marked:
    """A YAML text's data and its nodes, which know their lines; `twice` where a key stands twice (then no data)."""

    root: yaml.Node | None
    data: Any
    twice: Duplicate | None


class _Loader(yaml.SafeLoader):
    """PyYAML's, whose every failure is a `YAMLError` that knows its line.

    PyYAML lets through whatever Python raises at a value that is not what its tag says: `!!int ""` is an IndexError,
    `!!bool x` a KeyError, a date that does not exist a ValueError.
    """

    def nodes(self) -> yaml.Node | None:
        """The text's one document."""
        try:
            return self.get_single_node()
        except (yaml.YAMLError, RecursionError, MemoryError):
            raise
        except Exception as error:  # an escape or a version that is no number Python can use
            raise ScannerError(None, None, "an escape or a directive can't be read", self.get_mark()) from error

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A node's value."""
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError, MemoryError):
            raise
        except Exception as error:
            shown = repr(node.value[:57]) if isinstance(node, yaml.ScalarNode) else "a mapping or list"
            problem = f"{shown} can't be read as {node.tag.rpartition(':')[2]}"
            raise ConstructorError(None, None, problem, node.start_mark) from error


def read(text: str) -> Marked:
    """Read YAML text.

    Raises:
        yaml.YAMLError, TooMuch, RecursionError: it is none, too large, or nested without end.
    """
    if len(text) > LONGEST:
        raise TooMuch(f"it has more than {LONGEST:,} characters", "Give the file of a workflow")
    loader = _Loader(text)
    root = loader.nodes()
    if root is not None and _values(root, {}, set()) > MOST_VALUES:
        raise TooMuch(f"its aliases stand for more than {MOST_VALUES:,} values", "Write out what they stand for")
    twice = next(duplicates(root), None)
    return Marked(root, None if root is None or twice else loader.construct_document(root), twice)


def _values(node: yaml.Node, known: dict[int, int], within: set[int]) -> int:
    """How many values a node stands for, itself included.

    Args:
        node: The node.
        known: Of each node seen so far (by its id), how many.
        within: The nodes that it is a part of.

    Raises:
        TooMuch: an alias stands for what it is a part of.
    """
    if id(node) in within:
        problem = f"an alias stands for what it is a part of, line {node.start_mark.line + 1}"
        raise TooMuch(problem, "Write out what it stands for")
    if id(node) not in known:
        within.add(id(node))
        inner = node.value if isinstance(node, yaml.SequenceNode | yaml.MappingNode) else []
        parts = [part for each in inner for part in (each if isinstance(each, tuple) else (each,))]
        known[id(node)] = 1 + sum(_values(part, known, within) for part in parts)
        within.discard(id(node))
    return known[id(node)]


def line_of(root: yaml.Node | None, path: Path) -> int:
    """The line (from 1) of the value at `path`; of the nearest value around it where there is none."""
    return lines(root)(path)


def lines(root: yaml.Node | None) -> Callable[[Path], int]:
    """`line_of` this root, for many paths: each mapping's keys are gone through once."""
    known: dict[int, dict[str, tuple[yaml.Node, int]]] = {}

    def keys(node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, int]]:
        if id(node) not in known:
            # The key's line is where people look; a block value may begin below it. Of two, the first counts.
            pairs = [(key, value) for key, value in reversed(node.value) if isinstance(key, yaml.ScalarNode)]
            known[id(node)] = {key.value: (value, key.start_mark.line + 1) for key, value in pairs}
        return known[id(node)]

    def line(path: Path) -> int:
        found = 1 if root is None else root.start_mark.line + 1
        node = root
        for part in path:
            if isinstance(node, yaml.MappingNode) and str(part) in keys(node):
                node, found = keys(node)[str(part)]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                found = node.start_mark.line + 1
            else:
                break
        return found

    return line


def duplicates(root: yaml.Node | None) -> Iterator[Duplicate]:
    """Every key that stands twice in its mapping (PyYAML itself keeps the last and says nothing)."""
    seen: set[int] = set()
    queue: deque[tuple[tuple[str | int, ...], yaml.Node | None]] = deque([((), root)])
    while queue:
        path, node = queue.popleft()
        if node is None or id(node) in seen:  # an alias leads to the same node again
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            queue.extend(((*path, i), item) for i, item in enumerate(node.value))
        if isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if name in lines:
                    yield Duplicate((*path, name), lines[name], line)
                lines.setdefault(name, line)
                queue.append(((*path, name), value))
