"""What a command printed, as a picture of a terminal: `python -m experiments.terminal COMMAND < OUTPUT > PICTURE.svg`.

Lines that are too long are cut, so that the picture stays readable.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH = 112
"""Columns of the terminal."""


def picture(command: str, lines: Sequence[str], width: int = WIDTH) -> str:
    """The picture as SVG: a prompt with the command, then the lines, as far as they fit into `width` columns."""
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ ", style="bold green") + Text(command, style="bold"))
    for line in lines:
        cut = line if len(line) <= width else line[: width - 3] + "..."
        console.print(Text(cut), highlight=False, no_wrap=True)
    drawn = console.export_svg(title="pdr-dspy", theme=MONOKAI, unique_id="pdr")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # fonts of other sites: none is asked


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m experiments.terminal", description=__doc__)
    parser.add_argument("command", help="the command that printed it")
    parser.add_argument("--width", type=int, default=WIDTH, help=f"columns (default {WIDTH})")
    asked = parser.parse_args(arguments)
    sys.stdout.write(picture(asked.command, sys.stdin.read().rstrip("\n").splitlines(), asked.width))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
