"""A sign of life on a terminal while something takes longer than a moment."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from pdr_dspy.terminal import beneath, printable

MOMENT = 1.0
"""Seconds after which it is shown."""


@contextmanager
def waiting(what: str, out: TextIO | None = None, after: float = MOMENT) -> Iterator[None]:
    """Show what is going on, and for how long, while the block runs; nothing where there is no terminal.

    Args:
        what: In words.
        out: Where to; default: stderr. Nothing else may be written there within the block.
        after: Seconds after which it is shown.
    """
    stream = out or sys.stderr
    if not stream.isatty():
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_show, args=(what, stream, after, ended), name="waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _show(what: str, stream: TextIO, after: float, ended: threading.Event) -> None:
    if ended.wait(after):
        return
    try:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    except ModuleNotFoundError:  # it comes with the extra search
        print(f"{printable(what)} ...", file=stream, flush=True)
        return
    columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(
        *columns,
        console=Console(file=beneath(stream)),  # it draws with escape sequences
        transient=True,
        refresh_per_second=4,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as progress:
        progress.add_task(printable(what), total=None)
        ended.wait()
