"""Work in a thread that keeps nobody from ending."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pdr_dspy.serial_thread import SerialThread


def test_work_is_done_in_its_order_and_says_what_came_of_it() -> None:
    thread, done = SerialThread("t"), list[int]()
    futures = [thread.submit(lambda i=i: done.append(i) or 10 * i) for i in range(20)]
    failed = thread.submit(lambda: 1 // 0)
    last = thread.submit(lambda: "on")
    assert [future.result() for future in futures] == [10 * i for i in range(20)] and done == list(range(20))
    with pytest.raises(ZeroDivisionError):
        failed.result()
    assert last.result() == "on"
    thread.shutdown()


@pytest.mark.parametrize("cancel", [False, True])
def test_at_its_end_it_does_what_is_left_or_leaves_it_out(cancel: bool) -> None:
    thread, begun, go = SerialThread("t"), threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        go.wait(600)

    thread.submit(first)
    left = [thread.submit(lambda: 1) for _ in range(3)]
    assert begun.wait(600)
    if not cancel:
        go.set()
    else:
        left[0].add_done_callback(lambda _: go.set())
    thread.shutdown(cancel=cancel)
    assert [future.cancelled() for future in left] == [cancel] * 3


def test_what_hangs_in_it_does_not_keep_the_interpreter_from_its_end() -> None:
    code = "import time; from pdr_dspy.serial_thread import SerialThread as S; S('t').submit(lambda: time.sleep(9999))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])
