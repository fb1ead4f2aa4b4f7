"""What is printed does nothing to a terminal but being seen, and holds no secret."""

from __future__ import annotations

import io
import logging
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from fakes.vllm import FakeVLLM
from hypothesis import given
from hypothesis import strategies as st

from optimize.reporting.progress import Progress
from pdr_dspy.command.guarded import FAILED, REFUSED, guarded
from pdr_dspy.data.__main__ import main as show_data
from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.errors import EndpointError, InputError
from pdr_dspy.terminal import PrintableStream, beneath, name_of, printable, printing, visible

EVIL = "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b0m\r\x08\u202egnp.exe"
SEEN = "\\x1b]0;owned\\x07\\x1b[2J\\x1b[31mred\\x9b0m\\r\\x08\\u202egnp.exe"
KEY = "canary-key-0123456789"


@given(st.text())
def test_nothing_but_line_breaks_and_tabs_is_left_of_control_characters(text: str) -> None:
    shown = visible(text)
    assert all(c.isprintable() or c in "\n\t\r" or ord(c) > 0x9F for c in shown)
    assert "\r" not in shown.replace("\r\n", "")
    assert visible(shown) == shown
    assert "\n" not in name_of(text) and "\t" not in name_of(text)


def test_what_terminals_obey_is_written_as_escapes() -> None:
    assert visible(EVIL) == SEEN
    assert visible("a\tb\r\nc\n\u00e9\u4f60\U0001f600") == "a\tb\r\nc\n\u00e9\u4f60\U0001f600"
    assert name_of("model\nerror: none") == "model\\nerror: none"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def say_everywhere() -> None:
    """Print, log, and fail in a thread."""
    said = f"{EVIL} {KEY}"
    print(said)
    print(said, file=sys.stderr)
    sys.stderr.writelines([said])
    logging.getLogger("some.library").warning(said)

    def fail() -> None:
        raise ValueError(said)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def test_a_command_prints_neither_secrets_nor_escape_sequences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PDR_API_KEY", KEY)

    def unforeseen() -> int:
        say_everywhere()
        raise RuntimeError(f"{EVIL} {KEY}")

    def refused() -> int:
        raise InputError("model", f"{EVIL} {KEY}", "Give another")

    streams = sys.stdout, sys.stderr
    monkeypatch.setattr("threading.excepthook", threading.__excepthook__)
    assert guarded(unforeseen) == FAILED
    assert guarded(refused) == REFUSED
    assert (sys.stdout, sys.stderr) == streams
    out, err = capsys.readouterr()
    assert KEY not in out + err and "***" in out and "***" in err
    assert "Traceback" in err and "RuntimeError" in err and SEEN[:10] in out and SEEN[:10] in err
    assert not set("\x1b\x07\x9b\x08\u202e\r") & set(out + err)


def test_a_stream_is_else_what_it_was() -> None:
    terminal = Terminal()
    stream: Any = PrintableStream(terminal)
    assert stream.write("a\x1bb") == 3 and stream.isatty() and beneath(stream) is terminal
    stream.write("\r 10%\x1b[A")
    assert terminal.getvalue() == "a\\x1bb\r 10%\\x1b[A"
    with printing():
        once = sys.stdout
        with printing():
            assert sys.stdout is once


def test_the_display_of_a_terminal_shows_titles_of_others_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PDR_API_KEY", KEY)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    out: Any = PrintableStream(terminal)
    monkeypatch.setattr(sys, "stderr", out)
    with Progress("search", total=2, problems=3, latency="seconds", tokens=lambda: 0, out=out) as progress:
        progress.started(1, f"{EVIL} {KEY}")
        progress.line(f"line {EVIL} {KEY}")
        print(f"beside {EVIL} {KEY}", file=sys.stderr)
        assert sys.stderr is not out
    assert sys.stderr is out
    shown = terminal.getvalue()
    assert "line \\x1b" in shown and "beside \\x1b" in shown and "\\x1b]0;" in shown
    assert KEY not in shown and not set("\x07\x9b\x08\u202e") & set(shown) and "\x1b]0" not in shown


def test_data_of_others_does_nothing_to_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data.jsonl"
    row = '{"problem": "what is \\u001b[2J\\u001b]0;owned\\u0007 1 + 1?", "answer": "2"}\n'
    path.write_text(row * 12, encoding="utf-8")
    assert show_data([str(path), "--skip-empty"]) in (0, 2)
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and "\x07" not in out + err


@pytest.mark.parametrize("name", ["m\nrounds: [1]", "m\x1b[2J", "m\u202e", "m" * 600])
def test_a_model_name_that_would_write_lines_of_its_own_is_refused(name: str) -> None:
    with FakeVLLM(model=name) as server:
        for asked in (None, name):
            with pytest.raises(EndpointError, match="under a name") as caught:
                Endpoint.open(EndpointSettings((server.url,), model=asked))
            assert caught.value.field == "model" and printable(str(caught.value)) == str(caught.value)


def test_credentials_in_where_a_model_was_loaded_from_are_not_kept() -> None:
    with (
        FakeVLLM(root="s3://me:word/x@bucket/model\x1b[2J") as server,
        Endpoint.open(EndpointSettings((server.url,))) as endpoint,
    ):
        assert endpoint.identity.root == endpoint.identity.revision == "s3://me:***@bucket/model\\x1b[2J"
