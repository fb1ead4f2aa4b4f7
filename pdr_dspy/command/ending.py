"""How the command ends: a mistake of the user's is one line, Ctrl-C and SIGTERM end it in order, no secret is shown."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pdr_dspy.errors import InputError, PDRError
from pdr_dspy.terminal import printing

FAILED, REFUSED, INTERRUPTED = 1, 2, 130
"""Exit codes: something failed; what was asked for can't be done; it was told to end, as shells have it."""


def guarded(run: Callable[[], int]) -> int:
    """Run a part of the command; gives its exit code."""
    # LiteLLM leaves coroutines behind when a call is cancelled before it began.
    warnings.filterwarnings("ignore", message="coroutine 'BaseLLMHTTPHandler", category=RuntimeWarning)
    with printing():
        try:
            with _interruptible():
                code = run()
                sys.stdout.flush()  # here, where what is wrong with it is told
                return code
        except InputError as error:
            return _told(f"error: {error}", REFUSED)
        except PDRError as error:
            return _told(f"failed: {error}", FAILED)
        except KeyboardInterrupt:
            return _told("stopped", INTERRUPTED)
        except BrokenPipeError:  # someone who reads with `head` has read enough
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except Exception:  # a mistake of ours: Python would print it when the streams are its own again
            traceback.print_exc()
            return FAILED


def _told(text: str, code: int) -> int:
    print(" ".join(text.split()), file=sys.stderr)
    return code


@contextmanager
def _interruptible() -> Iterator[None]:
    """Within it SIGTERM and a closed terminal are a KeyboardInterrupt, so that what was started is ended, too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [number for name in names if signal.getsignal(number := getattr(signal, name)) != signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
