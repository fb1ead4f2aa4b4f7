"""A process of its own that makes a task's problems and scores answers with the task's verifier.

Runs as a plain script and imports nothing of this library. The first line of its input is the task; then it reads
`[index, answer]` lines and writes `{"score": ...}`. Some verifiers run an answer as Python (`eval`, sympy's
`parse_expr`): what a model wrote must neither hang nor reach the program that asked it. So it runs here, within limits
of time and memory, and answers that could do more than compute are not evaluated at all.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import json
import os
import re
import resource
import signal
import sys
from typing import Any

MEMORY = 4 * 2**30  # bytes of address space
SECONDS = 5.0  # processor time of one answer

_EVALUATES = re.compile(r"\b(?:eval|exec|parse_expr|sympify|parse_latex)\s*\(")
_REACHES = re.compile(
    r"__|\.\s*[A-Za-z_]|(?<!\w)(?:eval|exec|compile|open|input|getattr|setattr|delattr|vars|dir|globals|locals|type|object"
    r"|super|breakpoint|exit|quit|help|print|classmethod|staticmethod|property|memoryview|lambda|import)(?!\w)"
)


def main() -> None:
    """Answer until stdin closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def say(**reply: Any) -> None:
        print(json.dumps(reply, default=str), file=answers, flush=True)

    task = json.loads(sys.stdin.readline())
    try:
        import reasoning_gym
        from reasoning_gym.factory import DATASETS
    except ImportError as error:
        return say(missing=str(error))
    if task["name"] not in DATASETS:
        close = difflib.get_close_matches(task["name"], DATASETS, n=5, cutoff=0.4)
        return say(unknown=close, all=len(DATASETS))
    try:
        data = reasoning_gym.create_dataset(task["name"], seed=task["seed"], size=task["size"], **task["options"])
        entries = [data[index] for index in range(task["size"])]
    except Exception as error:  # a task's own checks raise AssertionError, TypeError, ValueError and more
        return say(wrong=f"{type(error).__name__}: {error}")
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    evaluates = bool(_EVALUATES.search(inspect.getsource(inspect.getmodule(type(data)))))  # type: ignore[arg-type]
    say(problems=[[entry["question"], entry["answer"]] for entry in entries])
    for line in sys.stdin:
        index, answer = json.loads(line)
        if evaluates and _REACHES.search(answer):
            say(score=0.0, detail="it could do more than compute, so it is not evaluated")
            continue
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # ends the process
        try:
            reply = {"score": float(data.score_answer(answer, entries[index]))}
        except Exception as error:  # on odd input a verifier may raise anything: the answer is not its reference
            reply = {"score": 0.0, "detail": f"its verifier failed ({type(error).__name__})"}  # type: ignore[dict-item]
        signal.setitimer(signal.ITIMER_PROF, 0)
        say(**reply)


if __name__ == "__main__":
    main()
