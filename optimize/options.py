"""The command line of `search.py` and `run.py`: options, their checks, and how an error is told. Light to import."""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pdr_dspy.disk import FULL
from pdr_dspy.errors import InputError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

REFUSED = 2
"""Exit code when what was asked for can't be done."""

UI_COMMAND = "LITELLM_LOCAL_MODEL_COST_MAP=True mlflow ui"
"""How to open the MLflow UI (without the variable it waits for a network that may not be there)."""

_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smh]?)")


@dataclass(frozen=True)
class Sizes:
    """How much a search does where the command line does not say."""

    trials: int
    problems: int
    report_problems: int
    front: int
    timeout: float | None


EMBEDDED = Sizes(trials=14, problems=32, report_problems=80, front=3, timeout=210.0)
"""For the reasoner that comes along: minutes on two cores."""

SERVED = Sizes(trials=40, problems=64, report_problems=200, front=5, timeout=None)
"""For a server of one's own."""


def add_model(parser: argparse.ArgumentParser, *, load: int | None, load_help: str) -> argparse._ArgumentGroup:
    """Options that say which model is asked; returns their group."""
    where = parser.add_argument_group("model (default: the embedded reasoner, started by this command)")
    where.add_argument(
        "--endpoint",
        action="append",
        metavar="URL",
        help="an OpenAI-style server such as vLLM, http://host:8000/v1; several are replicas of one "
        "model; its key is read from PDR_API_KEY or OPENAI_API_KEY",
    )
    where.add_argument("--model", help="model served there (default: the only one)")
    where.add_argument(
        "--load",
        type=int,
        default=load,
        metavar="N",
        help=load_help,
    )
    where.add_argument(
        "--thinking",
        choices=("auto", "server", "continue", "off"),
        default="auto",
        help="who keeps a draft's cap on thinking: the server (thinking_token_budget), a second request that continues "
        "the closed thinking, or nobody (default auto: the server while it does, else the second request)",
    )
    return where


def add_common(parser: argparse.ArgumentParser) -> None:
    """Options that both commands have."""
    parser.add_argument(
        "--budget",
        required=True,
        metavar="BUDGET",
        help="what one problem may cost: tokens=16k (generated along the path), and if wanted "
        "total=400k (by all calls) and seconds=30; k = 1000, m = 1000000",
    )
    add_model(
        parser,
        load=32,
        load_help="requests kept in flight, all replicas together; latency is measured at this load (default 32)",
    )
    what = parser.add_argument_group("problems")
    what.add_argument(
        "--data",
        default="worksheets",
        metavar="DATA",
        help="worksheets (default; worksheets:lines=6), aime24, aime25, math500, a file.jsonl, or hf:org/name:split",
    )
    what.add_argument(
        "--inputs", metavar="COLUMNS", help="input columns of a file, separated by commas (default: problem)"
    )
    what.add_argument("--answer", metavar="COLUMN", help="its column of reference answers (default: answer)")
    what.add_argument("--samples", type=int, default=1, metavar="N", help="runs of each problem (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="of all sampling (default 0)")
    parser.add_argument(
        "--latency",
        choices=("seconds", "tokens"),
        default="seconds",
        help="what is weighed against accuracy: median seconds along the critical path (default), or "
        "mean tokens generated along it",
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where state is kept (default: runs)"
    )


def check_common(options: argparse.Namespace) -> None:
    """Checks that need nothing but the options.

    Raises:
        InputError: an option out of range, or one that needs another.
    """
    for name in ("samples", "load", "trials", "problems", "report_problems", "front", "jobs"):
        value = getattr(options, name, None)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')}", f"{value} is too few", "Give 1 or more")
    if options.model and not options.endpoint:
        raise InputError(
            "--model",
            "there is no --endpoint that could serve it",
            "Give --endpoint http://host:8000/v1, or leave --model out",
        )


def duration(text: str, option: str = "--timeout") -> float:
    """Seconds of a text such as `90`, `90s`, `10m` or `1.5h`.

    Raises:
        InputError: it is none, or not above 0.
    """
    match = _TIME.fullmatch(text.strip().lower())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if seconds <= 0:
        raise InputError(option, f"{text!r} is not a time", "Write it like 90, 90s, 10m or 2h")
    return seconds


def guarded(main: Callable[[], int]) -> int:
    """Run a command; a mistake of the user's is one clear line, not a traceback."""
    # LiteLLM leaves coroutines behind when a call is cancelled before it began.
    warnings.filterwarnings("ignore", message="coroutine 'BaseLLMHTTPHandler", category=RuntimeWarning)
    try:
        return main()
    except InputError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Someone who reads with `head` has read enough.
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno not in FULL:
            raise
        # Where nobody foresaw it: a temporary directory, a library's own file.
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: disk: {error.strerror}{where}. Free space; the same command goes on", file=sys.stderr)
        return REFUSED


def one_line(error: InputError) -> str:
    """Field, problem and mend."""
    return " ".join(str(error).split())
