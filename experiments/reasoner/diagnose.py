"""Where a PDR run loses lines: claims and right claims of the drafts, the workspace and the last draft.

python -m experiments.reasoner.diagnose --problems 40
"""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.reasoner.evaluate_offline import Bench, answer, as_draft, fields
from experiments.reasoner.sampling import Sampler
from experiments.reasoner.task import Puzzle, label, puzzle
from pdr_dspy.data.worksheets import lines_solved, parse_problem, worksheets
from pdr_dspy.workspace import render_drafts


def claims(text: str, puzzles: list[Puzzle]) -> tuple[int, int]:
    """How many lines of a solution or workspace are claimed, and how many are right."""
    rows = [row for row in text.split("\n") if " = " in row]
    right = sum(f"{label(i)}: {item.workings}" in rows for i, item in enumerate(puzzles))
    return len(rows), right


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("pdr_dspy/embedded/weights"))
    parser.add_argument("--problems", type=int, default=40)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--width", type=int, default=8)
    options = parser.parse_args()
    problems = [item.inputs["problem"] for item in worksheets(options.problems, 4, "search", 0)]
    sheets = [[puzzle(line) for line in parse_problem(text).values()] for text in problems]
    bench = Bench(Sampler(options.weights, options.temperature), problems)
    groups = bench.drafts(options.width, 96)
    made = [
        claims(fields(item.text).get("solution", ""), sheet)
        for group, sheet in zip(groups, sheets, strict=True)
        for item in group
    ]
    answered = sum(
        lines_solved(text, answer(item)) for group, text in zip(groups, problems, strict=True) for item in group
    )
    print(f"drafts: {sum(c for c, _ in made)} claims, {sum(r for _, r in made)} right, {answered} answers right")
    union = [
        {
            i
            for item in group
            for i, one in enumerate(sheet)
            if f"{label(i)}: {one.workings}" in fields(item.text).get("solution", "").split("\n")
        }
        for group, sheet in zip(groups, sheets, strict=True)
    ]
    print(f"lines right in some draft: {sum(map(len, union))} of {4 * len(problems)}")
    inputs = [
        [text, render_drafts([as_draft(item) for item in group]), "64"]
        for text, group in zip(problems, groups, strict=True)
    ]
    distilled = bench.sampler.plain(bench.messages("distill", inputs), 80)
    workspaces = [fields(item.text).get("workspace", "") for item in distilled]
    noted = [claims(text, sheet) for text, sheet in zip(workspaces, sheets, strict=True)]
    print(f"workspaces: {sum(c for c, _ in noted)} claims, {sum(r for _, r in noted)} right")
    last = bench.refined(workspaces, 96)
    final = [claims(fields(item.text).get("solution", ""), sheet) for item, sheet in zip(last, sheets, strict=True)]
    right = sum(lines_solved(text, answer(item)) for text, item in zip(problems, last, strict=True))
    print(f"last drafts: {sum(c for c, _ in final)} claims, {sum(r for _, r in final)} right, {right} answers right")
    for i in range(2):
        print("-----", problems[i], "\n--", workspaces[i], "\n--", last[i].text, sep="\n")


if __name__ == "__main__":
    main()
