"""Accuracy against tokens of the strategies, sampled from the shipped files on held-out worksheets (no HTTP).

    python -m experiments.reasoner.evaluate_offline --problems 300 --lines 4 --split report

A strategy's `B_seq` is the mean, over problems, of the tokens on its longest path (the longest draft of each round,
then the workspace's call, then the last draft); `B_total` counts every generated token. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from experiments.reasoner.data import PieceTokenizer
from experiments.reasoner.sampling import Completion, Sampler
from experiments.reasoner.templates import Prompts
from pdr_dspy.data.worksheets import Split, lines_solved, parse_problem, worksheet_correct, worksheets
from pdr_dspy.modules.signatures import render_draft
from pdr_dspy.workflow import Stage
from pdr_dspy.workspace import bound, previous_workspace, render_drafts, summary_workspace

_FIELD = re.compile(r"\[\[ ## (\w+) ## \]\]\n?")
SPARE = 16


def fields(text: str) -> dict[str, str]:
    """The output fields of a completion."""
    parts = _FIELD.split(text)
    return {name: value.strip() for name, value in zip(parts[1::2], parts[2::2], strict=True)}


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share."""
    z, share = 1.96, hits / count
    middle, spread = share + z * z / (2 * count), z * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    return (middle - spread) / (1 + z * z / count), (middle + spread) / (1 + z * z / count)


@dataclass
class Outcome:
    """What a strategy made of every problem."""

    answers: list[str]
    sequential: list[int]
    total: list[int]


class Bench:
    """Runs strategies over the same problems."""

    def __init__(self, sampler: Sampler, problems: list[str]) -> None:
        self.sampler, self.problems = sampler, problems
        self.prompts = Prompts()
        self.tokens = PieceTokenizer(sampler.tokenizer)

    def messages(self, stage: Stage, inputs: list[list[str]], style: str = "default") -> list[tuple[str, str]]:
        """The prompts of a stage."""
        return [self.prompts.render(stage, self.prompts.instructions[stage][style], values) for values in inputs]

    def drafts(self, width: int, cap: int, style: str = "default") -> list[list[Completion]]:
        """`width` drafts of every problem."""
        flat = self.sampler.think(
            self.messages("draft", [[text] for text in self.problems for _ in range(width)], style), cap
        )
        return [flat[i * width : (i + 1) * width] for i in range(len(self.problems))]

    def refined(self, workspaces: list[str], cap: int, style: str = "default") -> list[Completion]:
        """One refinement of every problem."""
        inputs = [[text, workspace] for text, workspace in zip(self.problems, workspaces, strict=True)]
        return self.sampler.think(self.messages("refine", inputs, style), cap)

    def long_cot(self, cap: int) -> Outcome:
        """One call of at most `cap` thinking tokens."""
        made = [group[0] for group in self.drafts(1, cap)]
        spent = [item.tokens for item in made]
        return Outcome([answer(item) for item in made], spent, spent)

    def vote(self, width: int, cap: int) -> Outcome:
        """Majority vote over whole answers."""
        groups = self.drafts(width, cap)
        votes = [Counter(answer(item) for item in group).most_common(1)[0][0] for group in groups]
        return Outcome(votes, [max(i.tokens for i in g) for g in groups], [sum(i.tokens for i in g) for g in groups])

    def sequential(self, rounds: int, cap: int, kappa: int) -> Outcome:
        """Sequential refinement: each round reads the previous draft."""
        made = [group[0] for group in self.drafts(1, cap)]
        spent = [item.tokens for item in made]
        for _ in range(rounds - 1):
            workspaces = [previous_workspace(as_draft(item), None, kappa, self.tokens) for item in made]
            made = self.refined(workspaces, cap)
            spent = [before + item.tokens for before, item in zip(spent, made, strict=True)]
        return Outcome([answer(item) for item in made], spent, spent)

    def pdr(self, widths: list[int], cap: int, kappa: int, last_cap: int) -> Outcome:
        """PDR with the learned global summary; `widths` without the closing refinement."""
        groups = self.drafts(widths[0], cap)
        spent = [max(item.tokens for item in group) for group in groups]
        total = [sum(item.tokens for item in group) for group in groups]
        for width in [*widths[1:], 1]:
            inputs = [
                [text, render_drafts([as_draft(item) for item in group]), str(kappa)]
                for text, group in zip(self.problems, groups, strict=True)
            ]
            distilled = self.sampler.plain(self.messages("distill", inputs), kappa + SPARE)
            texts = [fields(item.text).get("workspace", "") for item in distilled]
            workspaces = [summary_workspace(bound(text, kappa, self.tokens), kappa, self.tokens) for text in texts]
            closing = width == 1
            flat = self.sampler.think(
                self.messages(
                    "refine",
                    [[t, w] for t, w in zip(self.problems, workspaces, strict=True) for _ in range(width)],
                ),
                last_cap if closing else cap,
            )
            groups = [flat[i * width : (i + 1) * width] for i in range(len(self.problems))]
            for i, group in enumerate(groups):
                spent[i] += distilled[i].tokens + max(item.tokens for item in group)
                total[i] += distilled[i].tokens + sum(item.tokens for item in group)
        return Outcome([answer(group[0]) for group in groups], spent, total)


def answer(item: Completion) -> str:
    """The answer field, empty where it is missing."""
    return fields(item.text).get("answer", "")


def as_draft(item: Completion) -> str:
    """A completion as the library renders a draft."""
    found = fields(item.text)
    return render_draft({"answer": found.get("answer", "")}, found.get("solution", ""))


def strategies(bench: Bench) -> dict[str, Callable[[], Outcome]]:
    """What the report compares."""
    found: dict[str, Callable[[], Outcome]] = {}
    for cap in (96, 192, 256, 296, 320, 448, 700):
        found[f"long CoT, cap {cap}"] = partial(bench.long_cot, cap)
    for width in (1, 2, 4, 8, 16):
        found[f"PDR [{width}], cap 96, kappa 64"] = partial(bench.pdr, [width], 96, 64, 96)
    for kappa in (16, 32, 48):
        found[f"PDR [8], cap 96, kappa {kappa}"] = partial(bench.pdr, [8], 96, kappa, 96)
    for cap in (64, 128):
        found[f"PDR [8], cap {cap}, kappa 64"] = partial(bench.pdr, [8], cap, 64, 96)
    found["PDR [8, 4], cap 64, kappa 64"] = partial(bench.pdr, [8, 4], 64, 64, 64)
    for rounds in (2, 3, 4):
        found[f"SR {rounds} rounds, cap 96"] = partial(bench.sequential, rounds, 96, 128)
    found["majority of 8, cap 256"] = partial(bench.vote, 8, 256)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("pdr_dspy/embedded/weights"))
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--lines", type=int, default=4)
    parser.add_argument("--split", choices=("search", "report"), default="report")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="a part of the strategies' names")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    split: Split = options.split
    problems = [item.inputs["problem"] for item in worksheets(options.problems, options.lines, split, options.seed)]
    sampler = Sampler(options.weights, options.temperature, options.threads, options.seed)
    bench = Bench(sampler, problems)
    rows = []
    print("| strategy | accuracy | 95 % | lines | B_seq | B_total | seconds |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, run in strategies(bench).items():
        if options.only not in name:
            continue
        began = time.monotonic()
        outcome = run()
        pairs = list(zip(problems, outcome.answers, strict=True))
        hits = sum(worksheet_correct(*pair) for pair in pairs)
        lines = sum(lines_solved(*pair) for pair in pairs) / sum(len(parse_problem(text)) for text in problems)
        low, high = wilson(hits, len(pairs))
        row = {
            "strategy": name,
            "accuracy": hits / len(pairs),
            "low": low,
            "high": high,
            "lines": lines,
            "b_seq": sum(outcome.sequential) / len(pairs),
            "b_total": sum(outcome.total) / len(pairs),
            "seconds": time.monotonic() - began,
        }
        rows.append(row)
        print(
            f"| {name} | {row['accuracy']:.3f} | {low:.3f}-{high:.3f} | {lines:.3f} | {row['b_seq']:.0f} "
            f"| {row['b_total']:.0f} | {row['seconds']:.0f} |",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
