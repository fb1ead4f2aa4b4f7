"""A sign of life on a terminal, and nowhere else."""

from __future__ import annotations

import io
import threading

from pdr_dspy.terminal import printable_stream
from pdr_dspy.waiting import waiting


class Terminal(io.StringIO):
    """Says that it is a terminal; tells when something is written."""

    def __init__(self, is_terminal: bool = True) -> None:
        super().__init__()
        self.is_terminal = is_terminal
        self.written = threading.Event()

    def isatty(self) -> bool:
        return self.is_terminal

    def write(self, text: str) -> int:
        count = super().write(text)
        if "reading" in self.getvalue():
            self.written.set()
        return count


def test_it_is_shown_on_a_terminal_while_the_block_runs() -> None:
    terminal = Terminal()
    with waiting("reading a.jsonl", terminal, after=0):
        assert terminal.written.wait(30)
    assert "reading a.jsonl" in terminal.getvalue()


def test_it_draws_on_a_stream_that_prints_what_may_be_printed_alone() -> None:
    terminal = Terminal()
    with waiting("reading [red]\x1b[2Ja.jsonl", printable_stream(terminal), after=0):
        assert terminal.written.wait(30)
    assert "reading [red]\\x1b[2Ja.jsonl" in terminal.getvalue() and "\x1b[?25l" in terminal.getvalue()


def test_what_is_over_in_a_moment_shows_nothing() -> None:
    terminal = Terminal()
    with waiting("reading a.jsonl", terminal, after=60):
        pass
    assert terminal.getvalue() == ""


def test_a_pipe_gets_nothing() -> None:
    pipe = Terminal(is_terminal=False)
    with waiting("reading a.jsonl", pipe, after=0):
        pass
    assert pipe.getvalue() == ""
