"""One math-verify worker, a process of its own: reads `[reference, answer, seconds]` lines, writes `{"equal": ...}`.

Runs as a plain script and imports nothing of this library, so that a worker starts as fast as math-verify allows.
math-verify's own limits use SIGALRM, which needs a main thread; this is one. But an alarm can't interrupt one long
operation on huge integers (`9^{9^{9^9}}`): the parent kills the process then, and where there is no parent any more,
the profiling timer does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import signal
import sys

MEMORY = 4 * 2**30  # bytes of address space; a runaway power tower must not take the machine with it


def main() -> None:
    """Answer until stdin closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        from math_verify import parse, verify
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers, flush=True)
        return
    logging.disable(logging.CRITICAL)
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        reference, answer, seconds = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, seconds + 1)
        alarm = max(1, int(seconds))
        try:
            equal = verify(
                parse(reference, parsing_timeout=alarm), parse(answer, parsing_timeout=alarm), timeout_seconds=alarm
            )
            reply: dict[str, bool | str] = {"equal": bool(equal)}
        except Exception as error:  # sympy raises nearly anything on odd input: the answer is wrong, the worker lives
            reply = {"equal": False, "problem": f"math-verify: {type(error).__name__}"}
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
