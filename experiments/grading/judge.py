"""One grader of another package in a process of its own: JSON lines in, JSON lines out. Imports nothing of ours.

Run by `process`, by the interpreter of the environment the package is installed in. Started with a grader's name it
answers `{}` or `{"missing": why}`, then `[reference, answer]` with `{"right": true | false | null}`: null where the
grader can't read the reference or fails.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from collections.abc import Callable

Judge = Callable[[str, str], "bool | None"]


def _boxed(text: str) -> str:
    return text if "\\boxed" in text else f"\\boxed{{{text}}}"


def _math_verify() -> Judge:
    from math_verify import parse, verify

    return lambda reference, answer: bool(verify(parse(reference), parse(answer)))


def _math_verify_boxed() -> Judge:
    from math_verify import parse, verify

    return lambda reference, answer: bool(verify(parse(_boxed(reference)), parse(_boxed(answer))))


def _trl() -> Judge:
    from trl.rewards import accuracy_reward

    def judge(reference: str, answer: str) -> bool | None:
        (reward,) = accuracy_reward([[{"content": _boxed(answer)}]], [_boxed(reference)])
        return None if reward is None else reward == 1.0

    return judge


def _prm800k() -> Judge:
    from mathruler.grader import extract_boxed_content, grade_answer

    def judge(reference: str, answer: str) -> bool:
        return bool(grade_answer(extract_boxed_content(answer) if "\\boxed" in answer else answer, reference))

    return judge


def _prime() -> Judge:
    from verl.utils.reward_score.prime_math import compute_score

    return lambda reference, answer: bool(compute_score(_boxed(answer), reference)[0])


def _math_equal() -> Judge:
    from lm_eval.tasks.hendrycks_math.utils import last_boxed_only_string, remove_boxed
    from lm_eval.tasks.score.math.math_grader import _check_antlr_version, math_equal

    _check_antlr_version()

    def judge(reference: str, answer: str) -> bool:
        boxed = last_boxed_only_string(answer)
        return bool(math_equal(remove_boxed(boxed) if boxed else answer, reference))

    return judge


def _hendrycks() -> Judge:
    from lm_eval.tasks.hendrycks_math.utils import is_equiv, last_boxed_only_string, remove_boxed

    def judge(reference: str, answer: str) -> bool:
        boxed = last_boxed_only_string(answer)
        return bool(is_equiv(remove_boxed(boxed) if boxed else answer, reference))

    return judge


def _minerva() -> Judge:
    from lm_eval.tasks.minerva_math.utils import is_equiv, last_boxed_only_string, normalize_final_answer, remove_boxed

    def judge(reference: str, answer: str) -> bool:
        boxed = last_boxed_only_string(answer)
        given = remove_boxed(boxed) if boxed else answer
        return bool(is_equiv(normalize_final_answer(given), normalize_final_answer(reference)))

    return judge


KNOWN: dict[str, Callable[[], Judge]] = {
    "math-verify": _math_verify,
    "math-verify, both boxed": _math_verify_boxed,
    "accuracy_reward (trl)": _trl,
    "PRM800K's grade_answer (mathruler)": _prm800k,
    "PRIME's compute_score (verl)": _prime,
    "math_equal (lm-eval)": _math_equal,
    "Hendrycks' is_equiv (lm-eval)": _hendrycks,
    "Minerva's is_equiv (lm-eval)": _minerva,
}


def _load(name: str) -> Judge:
    if name in KNOWN:
        return KNOWN[name]()
    module, _, function = name.partition(":")
    sys.path.insert(0, os.getcwd())
    found: Judge = getattr(importlib.import_module(module), function)
    return found


def _main() -> None:
    logging.disable(logging.CRITICAL)
    # Graders print to stdout what they can't parse: the answers go to a copy of it.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(what: dict[str, object]) -> None:
        out.write(json.dumps(what) + "\n")
        out.flush()

    try:
        judge = _load(sys.argv[1])
    except Exception as error:
        say({"missing": f"{type(error).__name__}: {error}".split("\n")[0]})
        return
    say({})
    for line in sys.stdin.buffer:
        reference, answer = json.loads(line)
        try:
            right = judge(reference, answer)
        except Exception:
            right = None
        say({"right": right if right is None else bool(right)})


if __name__ == "__main__":
    _main()
