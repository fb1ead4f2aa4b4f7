"""A larger program: a cheap first pass, an exact check in code, and PDR only on what is left.

Run it on the embedded reasoner:

    python programs/cascade.py --problems 20

`Cascade` is a plain `dspy.Module`. Both solvers are this library's modules over the same signature; between them stands
a checker that is code, not a model: every line of a worksheet can be verified, so only the lines that failed go on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import dspy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pdr_dspy import PDR, LongCoT, WorkflowFailed, bridge, connect
from pdr_dspy.caching import disable_cache
from pdr_dspy.data.worksheets import LABELS, Worksheet, lines_solved, worksheet_correct, worksheets


class Cascade(dspy.Module):
    """Long CoT on the whole worksheet, then PDR on the lines it left unsolved."""

    def __init__(self, budget: str = "tokens=16k") -> None:
        super().__init__()
        self.first = LongCoT(Worksheet, budget="tokens=512")
        self.second = PDR(Worksheet, "pdr_small", budget=budget)

    async def aforward(self, problem: str) -> dspy.Prediction:
        """Solve one worksheet. `escalated` is the number of lines that the second solver saw."""
        try:
            answer = str((await self.first.acall(problem=problem)).answer)
        except WorkflowFailed:
            answer = ""  # the first pass is allowed to come back with nothing: then PDR gets every line
        solved, unsolved = _check(problem, answer)
        if unsolved:
            # The lines that are left become a worksheet of their own, labelled from A again.
            labels = dict(zip(LABELS, unsolved, strict=False))
            rest = "\n".join(f"{new}: {unsolved[old]}" for new, old in labels.items())
            second = str((await self.second.acall(problem=rest)).answer)
            for line in second.splitlines():
                new, _, formula = line.partition(":")
                if new.strip() in labels:
                    solved[labels[new.strip()]] = formula.strip()
        answer = "\n".join(f"{label}: {formula}" for label, formula in sorted(solved.items()))
        return dspy.Prediction(answer=answer, escalated=len(unsolved))

    def forward(self, problem: str) -> dspy.Prediction:
        """The same, for synchronous callers."""
        return bridge.run(self.aforward(problem=problem))


def _check(problem: str, answer: str) -> tuple[dict[str, str], dict[str, str]]:
    """Answers that hold, and puzzles that have none yet, by label."""
    puzzles = dict(line.split(": ", 1) for line in problem.splitlines())
    answers = dict(line.split(": ", 1) for line in answer.splitlines() if ": " in line)
    solved = {
        label: answers[label]
        for label, puzzle in puzzles.items()
        if label in answers and lines_solved(f"{label}: {puzzle}", f"{label}: {answers[label]}") == 1
    }
    return solved, {label: puzzle for label, puzzle in puzzles.items() if label not in solved}


def main() -> None:
    """Solve a few held-out worksheets and say how many were right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=20, help="held-out worksheets to solve (default: 20)")
    args = parser.parse_args()
    from pdr_dspy.embedded.launch import start

    disable_cache()
    problems = worksheets(args.problems, lines=4, split="report", seed=1)
    with start() as server, connect(server.base_url) as lm, dspy.context(lm=lm):
        right = escalated = 0
        for problem in problems:
            prediction = Cascade()(problem=problem.inputs["problem"])
            right += worksheet_correct(problem.inputs["problem"], prediction.answer)
            escalated += bool(prediction.escalated)
    print(f"{right} of {len(problems)} worksheets right; {escalated} went on to PDR")


if __name__ == "__main__":
    main()
