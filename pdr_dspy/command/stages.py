"""The stages of a run as lines of a terminal: which one, and how many of its drafts are there."""

from __future__ import annotations

from typing import TextIO

from pdr_dspy.modules.progress import Progress
from pdr_dspy.workflow import Workflow


class StageLines:
    """Writes a line a stage; on a terminal its count renews itself, elsewhere each count is a line.

    Args:
        out: Where to.
        workflow: What runs; of several rounds each line says which.
        quiet: Write nothing.
    """

    def __init__(self, out: TextIO, workflow: Workflow, *, quiet: bool = False) -> None:
        self._out = out
        self._rounds = len(workflow.rounds)
        self._quiet = quiet
        self._renews = out.isatty()
        self._width = 0  # characters of the line that is not ended yet

    def say(self, progress: Progress) -> None:
        """Write how far a run has come. Called in the library's event loop."""
        if self._quiet:
            return
        where = f"round {progress.round + 1} of {self._rounds}: " if self._rounds > 1 else ""
        line = f"{where}{progress}"
        if not self._renews:
            print(line, file=self._out, flush=True)
            return
        if not progress.done:
            self.end()
        self._out.write("\r" + line.ljust(self._width))
        self._out.flush()
        self._width = len(line)

    def end(self) -> None:
        """End the line that is being renewed."""
        if self._width:
            self._out.write("\n")
            self._out.flush()
            self._width = 0

    def __enter__(self) -> StageLines:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
