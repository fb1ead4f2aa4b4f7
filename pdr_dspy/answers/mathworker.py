"""One math-verify worker, a process of its own: reads questions, writes replies, a JSON line each.

Runs as a plain script and loads only `mathcheck` of this library, so that it starts as fast as sympy allows. What a
question may cost is counted in seconds of this process's own CPU time, by the kernel's profiling timer: it ends the
process, whatever is running (one operation on huge integers answers no Python signal), busy as the machine may be and
even where there is no parent any more. math-verify's own limits are off: they count time on the wall, and it takes an
answer that it had no time for as wrong.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

ADDRESSES = 4 * 2**30
"""Bytes of address space; a runaway must not take the machine with it."""
MEMORY = 2**30
"""Bytes in use at most for one question. Under `ADDRESSES`, as sympy takes running out of memory for a plain error."""
RETIRED = 2**29
"""Bytes in use at most after which the process goes on to the next question."""
DEPTH = 10_000
"""Python calls within each other; one term of a sum is a few."""
COLLECTING = 0.05
"""Of the CPU time, at most, that goes into looking for garbage in all that is kept."""


def main() -> None:
    """Answer until stdin closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    sys.setrecursionlimit(DEPTH)
    try:
        mathcheck = _load(Path(__file__).with_name("mathcheck"))
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers, flush=True)
        return
    mathcheck.warm()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    cost = _collect()
    collected = time.process_time()
    for line in sys.stdin:
        number, limit, question = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, limit)
        reply = _reply(mathcheck, question)
        signal.setitimer(signal.ITIMER_PROF, 0)
        used = _peak()
        if used > MEMORY:
            reply = {"problem": "memory limit"}
        last = used > RETIRED or reply.get("problem") == "memory limit"
        print(json.dumps({"number": number, "last": last, **reply}), file=answers, flush=True)
        if last:
            return
        if cost < COLLECTING * (time.process_time() - collected):
            cost = _collect()
            collected = time.process_time()


def _collect() -> float:
    """Look for garbage now, and later in what is new only: what was kept before takes no question's time.

    Returns:
        Seconds of CPU time.
    """
    start = time.process_time()
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return time.process_time() - start


def _peak() -> int:
    """Bytes this program has had in use at most, or more than that and at most `RETIRED`."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if most <= RETIRED:
        return most
    # Linux's `ru_maxrss` begins with what its parent used.
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError, ValueError):
        return most


def _reply(mathcheck: Any, question: dict[str, Any]) -> dict[str, bool | str]:
    mathcheck.settle()
    try:
        return {"equal": bool(mathcheck.compare(**question))}
    except (mathcheck.TooLarge, RecursionError):
        return {"problem": "too large"}
    except MemoryError:
        return {"problem": "memory limit"}
    except Exception as error:  # sympy raises nearly anything on odd input: it says nothing of the answer
        return {"problem": f"math-verify: {type(error).__name__}"}


def _load(folder: Path) -> Any:
    """The package in a folder, by itself: the packages that it is in take seconds to import."""
    spec = importlib.util.spec_from_file_location(
        folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    sys.modules[folder.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
