"""How a command ends: its exit codes, and a mistake of the user's as one line. Light to import."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Callable

from pdr_dspy.command.signals import INTERRUPTED as INTERRUPTED
from pdr_dspy.command.signals import told_to_end
from pdr_dspy.disk import FULL
from pdr_dspy.errors import InputError, PDRError
from pdr_dspy.terminal import printing

REFUSED = 2
"""Exit code when what was asked for can't be done."""

FAILED = 1
"""Exit code after an error that nobody foresaw, as Python has it."""


def guarded(main: Callable[[], int]) -> int:
    """Run a command; a mistake of the user's is one clear line, not a traceback, and no secret is printed.

    Told to end by a signal it ends in order, within a bound (see `signals`).
    """
    # LiteLLM leaves coroutines behind when a call is cancelled before it began.
    warnings.filterwarnings("ignore", message="coroutine 'BaseLLMHTTPHandler", category=RuntimeWarning)
    with told_to_end(ends_process=True), printing():
        try:
            return _guarded(main)
        except Exception:  # a mistake of ours: Python would print it when the streams are its own again
            traceback.print_exc()
            return FAILED


def _guarded(main: Callable[[], int]) -> int:
    try:
        code = main()
        sys.stdout.flush()  # here, where what is wrong with it is told
        return code
    except InputError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return REFUSED
    except PDRError as error:
        print(f"failed: {one_line(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _drop_the_rest()  # someone who reads with `head` has read enough
        return 0
    except OSError as error:
        if error.errno not in FULL:
            raise
        # Where nobody foresaw it: a temporary directory, a library's own file.
        where = f" ({error.filename})" if error.filename else ""
        _drop_the_rest()
        print(f"error: disk: {error.strerror}{where}. Free space; the same command goes on", file=sys.stderr)
        return REFUSED


def _drop_the_rest() -> None:
    """See to it that what stdout does not take is not tried again when it is closed."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def one_line(error: PDRError) -> str:
    """Field, problem and mend."""
    return " ".join(str(error).split())
