"""Signals that end a command: it keeps what is done, closes in order, and is gone within a bound whatever hangs."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pdr_dspy.command.signals import INTERRUPTED
from pdr_dspy.terminal import printing

ROOT = Path(__file__).parents[2]
BEGIN = """
import signal, sys, threading, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and a child has it from its parent
from pdr_dspy.command import signals
from pdr_dspy.command.signals import told_to_end
def say(text):
    print(text, flush=True)
def wait():
    say("ready")
    while True: time.sleep(600)
"""
Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(code)` runs this code in a process and waits until it says that it is ready."""
    begun: list[subprocess.Popen[str]] = []
    watches: list[threading.Timer] = []

    def called(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN + code],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        watches.append(threading.Timer(600, process.kill))  # then what waits for it reads its end
        watches[-1].start()
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield called
    for watch in watches:
        watch.cancel()
    for process in begun:
        process.kill()
        process.communicate()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_every_signal_that_ends_a_process_ends_it_in_order(start: Start, name: str) -> None:
    process = start("""
try:
    with told_to_end(ends_process=True): wait()
except KeyboardInterrupt:
    say("closed"); raise SystemExit(signals.INTERRUPTED)
""")
    process.send_signal(getattr(signal, name))
    assert said(process) == "closed"
    assert process.wait() == INTERRUPTED


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_what_is_asked_for_twice_does_not_disturb_the_end(start: Start, name: str) -> None:
    process = start("""
stop = threading.Event()
with told_to_end(ends_process=True):
    with told_to_end(stop.set, ends_process=True):
        say("ready"); stop.wait()
    say("closing"); sys.stdin.readline(); say("closed")
""")
    process.send_signal(getattr(signal, name))
    assert said(process) == "closing"
    process.send_signal(getattr(signal, name))
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert said(process) == "closed"
    assert process.wait() == 0


def test_a_second_ctrl_c_does_not_wait(start: Start) -> None:
    process = start("""
stop = threading.Event()
try:
    with told_to_end(lambda: say("asked"), ends_process=True): wait()
except KeyboardInterrupt:
    say("at once")
""")
    process.send_signal(signal.SIGINT)
    assert said(process) == "asked"
    process.send_signal(signal.SIGINT)
    assert said(process) == "at once"
    assert process.wait() == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGQUIT"])
def test_whatever_hangs_the_process_is_gone(start: Start, name: str) -> None:
    process = start("""
signals.PATIENCE = signals.AT_ONCE = 0.1
with told_to_end(ends_process=True):
    while True:
        try: wait()
        except KeyboardInterrupt: continue
""")
    process.send_signal(getattr(signal, name))
    assert process.wait() == INTERRUPTED
    assert process.stderr is not None
    assert "what is done is kept, and the same command goes on" in process.stderr.read()


def test_what_ended_in_time_is_not_ended_again(start: Start) -> None:
    process = start("""
signals.PATIENCE = 0.1
stop = threading.Event()
with told_to_end(stop.set, ends_process=True):
    say("ready"); stop.wait()
time.sleep(1)
say("goes on")
""")
    process.send_signal(signal.SIGTERM)
    assert said(process) == "goes on"
    assert process.wait() == 0


def test_a_thread_that_hangs_does_not_keep_a_process_that_was_told_to_end(start: Start) -> None:
    process = start("""
signals.PATIENCE = 0.5
stop = threading.Event()
threading.Thread(target=time.sleep, args=(600,)).start()
with told_to_end(stop.set, ends_process=True):
    say("ready"); stop.wait()
say("done")
""")
    process.send_signal(signal.SIGTERM)
    assert said(process) == "done"
    assert process.wait() == INTERRUPTED


def test_a_hangup_that_is_ignored_stays_ignored(start: Start) -> None:
    process = start("""
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with told_to_end(ends_process=True):
    say("ready"); sys.stdin.readline(); say("went on")
""")
    process.send_signal(signal.SIGHUP)
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert said(process) == "went on"


def test_a_terminal_that_was_closed_is_written_to_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        with printing():
            assert sys.stderr.isatty()
            print("seen", file=sys.stderr, flush=True)
            assert os.read(ours, 100) == b"seen\r\n"
            os.close(ours)
            for output in (sys.stdout, sys.stderr):
                print("not seen", file=output, flush=True)
            assert not sys.stderr.isatty()


def test_who_reads_no_more_of_a_pipe_is_told_of_on_stdout_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ends, pipes = zip(os.pipe(), os.pipe(), strict=True)
    out, err = (os.fdopen(pipe, "w") for pipe in pipes)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    for end in ends:
        os.close(end)
    with pytest.raises(BrokenPipeError), printing():
        print("nobody reads this, and the work goes on", file=sys.stderr, flush=True)
        print("what was asked for")
    out.close()
    err.close()
