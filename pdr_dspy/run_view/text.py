"""A run in a terminal: lines of styled text, in colours where rich is installed and they are wanted.

The layout is the same with and without. What a model wrote is never read as markup, and holds no control character.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TextIO

from pdr_dspy.run_view.data import CallData, DraftData, RoundData, RunData
from pdr_dspy.run_view.wording import (
    draft_title,
    equality_of,
    failure_title,
    outcome_of,
    round_title,
    safe,
    tokens_of,
    totals,
    value,
)
from pdr_dspy.terminal import beneath

Line = list[tuple[str, str]]
"""A line: texts, each with the name of its style ("" for none)."""

_STYLES = {"title": "bold", "dim": "dim", "bad": "red", "good": "green", "bar": "cyan", "off": "yellow"}
_COLUMN = 36  # characters of a draft's column at least
_NARROWEST, _WIDEST = 40, 200


def show(data: RunData, file: TextIO | None = None, *, width: int | None = None, texts: int | None = 600) -> None:
    """Print a run; see `RunRecord.show`."""
    stream = sys.stdout if file is None else file
    columns = max(_NARROWEST, width or min(_WIDEST, shutil.get_terminal_size((100, 24)).columns))
    lines = [_encodable(line, stream) for line in layout(data, columns, texts)]
    if not _in_colours(lines, stream):
        stream.write("".join("".join(text for text, _ in line).rstrip() + "\n" for line in lines))


def _in_colours(lines: Sequence[Line], stream: TextIO) -> bool:
    """Print lines by rich, where it is there and the stream is a terminal; whether it has."""
    if not getattr(stream, "isatty", lambda: False)():
        return False
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        return False
    console = Console(file=beneath(stream), force_jupyter=False, highlight=False)
    for line in lines:
        styled = Text.assemble(*((text, _STYLES.get(style, "")) for text, style in line))
        console.print(styled, soft_wrap=True, markup=False, emoji=False)
    return True


def _encodable(line: Line, stream: TextIO) -> Line:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return [(text.encode(encoding, "backslashreplace").decode(encoding), style) for text, style in line]


def layout(data: RunData, width: int, texts: int | None) -> Iterator[Line]:
    """The lines of a run.

    Args:
        data: The run.
        width: Columns.
        texts: Most characters of each text; None: all of them.
    """
    yield [(f"{data.name}", "title"), (f"  {data.topology}, budget {data.budget}", "")]
    for name, said in totals(data):
        yield [(f"  {name:<10}", "dim"), (said, "")]
    yield []
    yield from _timeline(data, width)
    for number, this in enumerate(data.rounds):
        yield []
        yield from _round(number, this, width, texts)
    if data.rounds:
        yield [(f"  agreement: {equality_of(data)}", "dim")]
    if data.failed:
        yield []
        yield [("Failed calls", "title")]
        for failed in data.failed:
            yield from _wrapped(failure_title(failed), width, "  ", "bad")
            yield from _wrapped(_short(failed.text, texts), width, "    ", "dim")
    yield []
    yield from _stages(data)


def _timeline(data: RunData, width: int) -> Iterator[Line]:
    yield [("Calls", "title"), (f"  {data.seconds:.2f} s from the first to the last", "dim")]
    names = max((len(call.name) for call in data.calls), default=0)
    told = [f"{call.seconds:8.2f} s  {tokens_of(call)}" for call in data.calls]
    room = max(8, min(60, width - names - max(map(len, told), default=0) - 6))
    for call, amount in zip(data.calls, told, strict=True):
        before, bar = _bar(call, data.seconds, room)
        style = "bar" if call.outcome == "ok" else "bad"
        yield [
            (f"  {call.name:<{names}}  ", ""),
            ("." * before, "dim"),
            ("#" * bar, style),
            ("." * (room - before - bar), "dim"),
            (amount, ""),
            (f"  {outcome_of(call)}", "bad" if call.outcome != "ok" else "off"),
        ]


def _bar(call: CallData, whole: float, room: int) -> tuple[int, int]:
    """Where a call's bar begins and how long it is, in characters."""
    if whole <= 0:
        return 0, 1
    begin = min(room - 1, int(call.started / whole * room))
    return begin, max(1, min(room - begin, round(call.seconds / whole * room)))


def _round(number: int, this: RoundData, width: int, texts: int | None) -> Iterator[Line]:
    yield [(round_title(number, this), "title")]
    for workspace in this.workspaces:
        size = "?" if workspace.tokens is None else f"{workspace.tokens:,}"
        of = "" if workspace.kappa is None else f" of kappa {workspace.kappa:,}"
        readers = ", ".join(str(index + 1) for index in workspace.readers)
        yield [(f"  workspace, {size} tokens{of}, read by {readers or 'nobody'}", "dim")]
        yield from _wrapped(_short(workspace.text, texts), width, "  | ", "")
    yield from _side_by_side(this.drafts, width, texts)


def _side_by_side(drafts: Sequence[DraftData], width: int, texts: int | None) -> Iterator[Line]:
    count = max(1, min(len(drafts), (width - 2) // (_COLUMN + 2)))
    column = (width - 2) // count - 2
    for start in range(0, len(drafts), count):
        blocks = [list(_draft(draft, column, texts)) for draft in drafts[start : start + count]]
        for row in zip_longest(*blocks, fillvalue=("", "")):
            line: Line = [("  ", "")]
            for text, style in row:
                line += [(text, style), (" " * (column - cells(text) + 2), "")]
            yield line


def _draft(draft: DraftData, column: int, texts: int | None) -> Iterator[tuple[str, str]]:
    for text in wrapped(draft_title(draft), column):
        yield text, "good" if draft.accepted else "title"
    for name, given in draft.outputs.items():
        for text in wrapped(f"{safe(name)}: {_cut(value(given), texts)}", column):
            yield text, ""
    for text in wrapped(_short(draft.solution, texts), column):
        yield text, "dim"


def _stages(data: RunData) -> Iterator[Line]:
    head = ("stage", "calls", "failed", "in", "out", "thinking", "seconds", "longest")
    rows = [
        (
            stage.stage, f"{stage.calls}", f"{stage.failures}", f"{stage.prompt_tokens:,}",
            f"{stage.completion_tokens:,}", f"{stage.thinking_tokens:,}", f"{stage.seconds:.2f}",
            f"{stage.longest:.2f}",
        )
        for stage in data.stages
    ]  # fmt: skip
    sizes = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cellsof = [f"{row[0]:<{sizes[0]}}", *(f"{text:>{size}}" for text, size in zip(row[1:], sizes[1:], strict=True))]
        yield [("  " + "  ".join(cellsof), "dim" if row is head else "")]


def _short(text: str, most: int | None) -> str:
    return _cut(safe(text).strip(), most)


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def _wrapped(text: str, width: int, indent: str, style: str) -> Iterator[Line]:
    for line in wrapped(text, width - len(indent)) if text else ():
        yield [(indent, "dim"), (line, style)]


def wrapped(text: str, width: int) -> Iterator[str]:
    """A text in lines of so many columns at most; its own line breaks are kept."""
    for line in text.expandtabs(4).splitlines():
        for part in textwrap.wrap(line, width, replace_whitespace=False, drop_whitespace=True) or [""]:
            yield from _narrowed(part, width)


def _narrowed(line: str, width: int) -> Iterator[str]:
    """A line whose characters may be two columns wide, in lines that fit."""
    while cells(line) > width:
        kept = len(line)
        while cells(line[:kept]) > width:
            kept = min(kept - 1, max(1, kept * width // cells(line[:kept])))
        yield line[:kept]
        line = line[kept:]
    yield line


def cells(text: str) -> int:
    """Columns of a text in a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
