"""Which subcommand is meant, and its arguments handed on as they are. Imports nothing that a subcommand needs."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pdr_dspy import __version__
from pdr_dspy.command.guarded import guarded
from pdr_dspy.errors import InputError
from pdr_dspy.extras import need


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One of the command's words.

    Attributes:
        module: Where its `main(arguments)` is; it gives the exit code.
        about: What it does, in a line.
        extra: The extra that it can't do without, or "".
    """

    module: str
    about: str
    extra: str = ""


SUBCOMMANDS: Mapping[str, Subcommand] = {
    "ask": Subcommand("pdr_dspy.command.ask", "ask one question, and see the drafts come"),
    "search": Subcommand("optimize.search", "search the workflows with the best accuracy for their latency", "search"),
    "run": Subcommand("optimize.run", "measure workflows on problems of yours", "search"),
    "report": Subcommand("optimize.report", "write a study as one HTML page", "search"),
    "data": Subcommand("pdr_dspy.data.__main__", "show what is understood of a file of problems; sends nothing"),
}

HELP = f"""\
usage: pdr COMMAND ...

Parallel-Distill-Refine against a language model of yours: draw drafts in parallel, distil them into a workspace,
refine from it.

commands
{{commands}}

examples
  pdr ask "What is 17 * 23?" --endpoint http://host:8000/v1
      8 drafts, one summary of them, one refinement; --workflow NAME or PATH for another workflow
  pdr data mine.jsonl --inputs question --answer label
      how your problems would be asked and graded; no token is spent
  pdr search --budget tokens=16k --endpoint http://host:8000/v1 --data mine.jsonl
      which workflow is worth its seconds, with a report on problems that the search never saw
  pdr run runs/STUDY/winner.yaml long_cot --budget tokens=16k --endpoint http://host:8000/v1 --data mine.jsonl
      measure what it found beside a preset, or any other workflows

`pdr COMMAND --help` has the rest. PDR_ENDPOINT, PDR_MODEL and PDR_API_KEY say where `ask` finds the model, if not its
options; a key is given in no other way.
pdr-dspy {__version__}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code: 0, 1 (something failed), 2 (what was asked for can't be), 130 (after Ctrl-C).

    Args:
        arguments: The words after `pdr`; default: the process's.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    first = words[0] if words else "--help"
    if first in ("-h", "--help", "help"):
        return guarded(lambda: _say(help_text()))
    if first == "--version":
        return guarded(lambda: _say(f"pdr-dspy {__version__}"))
    if first not in SUBCOMMANDS:
        return guarded(lambda: _unknown(first))
    meant = SUBCOMMANDS[first]

    def ready() -> int:
        if meant.extra:
            need(meant.extra, f"pdr {first}")
        return 0

    return guarded(ready) or _called(meant, f"pdr {first}", words[1:])


def help_text() -> str:
    """What `pdr --help` says."""
    return HELP.format(commands="\n".join(f"  {name:<8}{each.about}" for name, each in SUBCOMMANDS.items())).rstrip()


def _called(meant: Subcommand, name: str, words: list[str]) -> int:
    before = sys.argv
    sys.argv = [name, *words]  # for a main that reads the process's arguments
    try:
        run: Callable[..., int] = importlib.import_module(meant.module).main
        return run(words) if inspect.signature(run).parameters else run()
    except KeyboardInterrupt:  # while it was imported, or by a main that leaves it to its caller
        return guarded(_interrupted)
    finally:
        sys.argv = before


def _interrupted() -> int:
    raise KeyboardInterrupt


def _unknown(word: str) -> int:
    close = get_close_matches(word, SUBCOMMANDS, n=1)
    meant = f"Did you mean pdr {close[0]}? " if close else ""
    mend = f"{meant}The commands are {', '.join(SUBCOMMANDS)}; pdr --help says what each does"
    what = "is no option of pdr itself" if word.startswith("-") else "is no command"
    raise InputError("pdr", f"{word!r:.80} {what}", mend)


def _say(text: str) -> int:
    print(text)
    return 0
