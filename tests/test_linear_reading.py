"""Whatever a model writes is read in time linear in its length: by formats, answers, graders, votes and workspaces.

Processor time is compared, never the clock: sixteen times the text may take at most 64 times as long, and a reader
whose time grows with the square takes 256 times. Texts that take next to nothing are not compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable
from datetime import date
from typing import Any, Literal

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError
from pydantic import BaseModel

from pdr_dspy.answers import Undecided, canonical, equal_answers, rational, read
from pdr_dspy.answers.aside import AT_ONCE, comparison
from pdr_dspy.answers.mathpool import Reply
from pdr_dspy.answers.reading import _read
from pdr_dspy.data.graders import GRADERS, make_grader
from pdr_dspy.data.graders.tolerance import Tolerance
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.worksheets import lines_solved, parse_problem, same_worksheet
from pdr_dspy.formats import Unread, adapter
from pdr_dspy.formats import read as read_fields
from pdr_dspy.modules.seeds import content
from pdr_dspy.quoting import quoted
from pdr_dspy.workflow import Format
from pdr_dspy.workspace import ByteTokenizer, answers_workspace, drafts_workspace, previous_workspace
from pdr_dspy.written import has_thinking, parted
from tests.fakes.hostile import BEFORE, BEHIND, PARTS, mixed, repeated

SHORT, LONG = 500, 8_000
MOST = 64
TRIES = 3
"""A quadratic reader takes too long each time; whatever else the process does, once."""
NOTHING = 0.002  # seconds of processor time below which a text takes next to nothing


class Point(BaseModel):
    x: int
    y: str


class NeverAsked:
    """A pool that decides nothing: what math-verify takes is its own affair."""

    async def verify(self, reference: str, answer: str, **_: Any) -> Reply:
        return Reply(False, "time limit")


POOL: Any = NeverAsked()
SHEET = Problem(
    "p", {"problem": "A: make 41 from 13, 7, 4\nB: make 14 from 5, 2, 4"}, "42", options=("42", "blue", "x+1")
)

SIGNATURES: dict[str, Any] = {
    "text": dspy.Signature("question -> solution, answer"),
    "number": dspy.Signature("question -> answer: float"),
    "choice": dspy.Signature({"question": (str, dspy.InputField()), "answer": (Literal["A", "B"], dspy.OutputField())}),
    "date": dspy.Signature({"question": (str, dspy.InputField()), "answer": (date, dspy.OutputField())}),
    "list": dspy.Signature("question -> answer: list[int]"),
    "model": dspy.Signature({"question": (str, dspy.InputField()), "answer": (list[Point], dspy.OutputField())}),
    "several": dspy.Signature("question -> x: int, y: bool, code"),
    "one text": dspy.Signature("question -> summary"),
}


def _fields(form: Format, name: str) -> Callable[[str], object]:
    def parse(text: str) -> object:
        try:
            return adapter(form).parse(SIGNATURES[name], text)
        except AdapterParseError:
            return None

    return parse


def _cut(text: str) -> object:
    try:
        return read_fields(SIGNATURES["text"], text, finished=False)
    except Unread:
        return None


def _grade(kind: str) -> Callable[[str], object]:
    grader = make_grader(kind, pool=POOL, tolerance=Tolerance.parse("1%") if kind == "number" else None)

    async def both(text: str) -> None:
        await grader.grade(SHEET, {"answer": text})
        with contextlib.suppress(Undecided):
            await grader.equal(text, text + "1", SHEET)

    return lambda text: asyncio.run(both(text))


def _equal(text: str) -> object:
    async def both() -> bool:
        try:
            return await equal_answers([text], [text + "1"], POOL)
        except Undecided:
            return False

    return asyncio.run(both())


def _workspaces(text: str) -> object:
    count = ByteTokenizer()
    return (
        drafts_workspace([text, text], 400, count),
        answers_workspace([text, text], 100, count),
        previous_workspace(text, text, 400, count),
    )


READERS: dict[str, Callable[[str], object]] = {
    **{f"plain {name}": _fields("plain", name) for name in SIGNATURES},
    **{f"markers {name}": _fields("markers", name) for name in ("text", "list")},
    **{f"json {name}": _fields("json", name) for name in ("text", "model")},
    **{f"xml {name}": _fields("xml", name) for name in ("text", "list")},
    "cut off": _cut,
    **{f"grader {kind}": _grade(kind) for kind in GRADERS},
    "equality": _equal,
    "canonical": canonical,
    "rational": rational,
    "thinking": lambda text: (parted(text), has_thinking(text)),
    "worksheet": lambda text: (lines_solved(SHEET.inputs["problem"], text), same_worksheet(text, text + "1")),
    "puzzle": parse_problem,
    "workspaces": _workspaces,
    "quoted": quoted,
    "tags": lambda text: _fields("xml", "list")(f"<answer>{text}</answer>"),
    "seed": lambda text: content([text]),
}


def taken(reader: Callable[[str], object], text: str) -> float:
    """Seconds of processor time of this process that a reader takes; looking for garbage is no part of it."""
    _read.cache_clear()
    gc.disable()
    started = time.process_time()
    try:
        reader(text)
        return time.process_time() - started
    finally:
        gc.enable()


def linear(reader: Callable[[str], object], before: str, part: str, behind: str, short: int, long: int) -> str:
    """ "" where the longer text takes no more than in proportion; else what was measured."""
    few = many = 0.0
    for _ in range(TRIES):
        few = taken(reader, before + repeated(part, short) + behind)
        many = taken(reader, before + repeated(part, long) + behind)
        if many <= MOST * (long / short / 16) * max(few, NOTHING):
            return ""
    return f"{before!r} + {part!r} * n + {behind!r}: {few:.4f} s, {many:.4f} s"


@pytest.mark.parametrize("name", READERS)  # each with a third of the parts; with all of them below
def test_reading_takes_time_linear_in_the_text(name: str) -> None:
    assert not [
        said
        for i, part in list(enumerate(PARTS))[list(READERS).index(name) % 3 :: 3]
        if (said := linear(READERS[name], BEFORE[i % len(BEFORE)], part, BEHIND[i % len(BEHIND)], SHORT, LONG))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_reading_longer_and_mixed_texts_takes_linear_time(name: str) -> None:
    cases = [("", part, "") for part in PARTS[list(READERS).index(name) % 3 :: 3]] + [mixed(seed) for seed in range(30)]
    assert not [said for case in cases if (said := linear(READERS[name], *case, 4_000, 64_000))]


LONG_LIST = ", ".join(f"e^{{{i}}}" for i in range(1, 100))


async def test_a_long_comparison_leaves_the_loop_free() -> None:
    assert len(LONG_LIST) > AT_ONCE
    one, other = read(LONG_LIST), read(LONG_LIST.replace("e^{1}", "e^{100}"))
    going = asyncio.create_task(comparison(one, other))
    await asyncio.sleep(0)
    assert not going.done()  # on the loop, it would have ended before anything else ran
    assert await going is not True
