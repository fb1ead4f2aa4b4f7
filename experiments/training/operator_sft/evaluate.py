"""Quick evaluation with the batched sampler: PDR [8,1], long chains of thought and their majority, on held-out sheets.

    python -m experiments.training.operator_sft.evaluate --weights pdr_dspy/embedded/weights --lines 4 --count 200 \
        --out runs/shipped_4.json
    python -m experiments.training.operator_sft.evaluate --compare runs/shipped_4.json runs/tuned_4.json

It asks what the library asks with `experiments/configs/embedded.yaml`, to the token, and makes the same of the answers.
Two files of the same worksheets are compared pair by pair. What is published is measured by `experiments.questions`.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from experiments.reasoner.data import Generator
from experiments.training.operator_sft.reading import claims, draft_fields, draft_text
from experiments.training.operator_sft.sampler import Completion, Request
from experiments.training.operator_sft.states import Caller
from experiments.training.policy.weights import reasoner_of
from pdr_dspy.data.worksheets import LABELS, lines_solved, parse_problem, same_worksheet, worksheet_correct, worksheets
from pdr_dspy.evaluation.statistics import bootstrap_mean, paired_difference, wilson

WIDTH = 8
TEMPERATURE = 0.6


@dataclass(frozen=True)
class Caps:
    """Token caps of a size of worksheet: thinking and answer of each call, and the workspace."""

    draft: tuple[int, int]
    last: tuple[int, int]
    kappa: int
    long: tuple[int, int]


CAPS = {4: Caps((240, 144), (320, 200), 96, (896, 240)), 6: Caps((320, 200), (512, 280), 192, (1500, 320))}


@dataclass
class Result:
    """What came of the worksheets, a value each.

    Attributes:
        right: By strategy, the share of samples that solve the worksheet.
        tokens: By strategy, tokens in and out: along the path (`b_seq`), and of all calls (`b_total`).
        stages: By stage of PDR, lines: of the drafts, of any of them, right and false in the workspace,
            refined; and what the refinement lost of the workspace and repaired.
    """

    right: dict[str, list[float]] = field(default_factory=dict)
    tokens: dict[str, list[float]] = field(default_factory=dict)
    stages: dict[str, list[float]] = field(default_factory=dict)


class Evaluation:
    """Measures one model on worksheets of one size.

    Args:
        caller: The weights.
        problems: The worksheets.
        lines: Lines of each.
        temperature: Of every call.
        seed: Of the sampling.
    """

    def __init__(self, caller: Caller, problems: list[str], lines: int, temperature: float, seed: int = 0) -> None:
        self.caller, self.problems, self.lines, self.caps = caller, problems, lines, CAPS[lines]
        self.temperature, self.seed = temperature, seed
        self.result = Result()

    def drafts(self) -> list[list[tuple[str, str] | None]]:
        """The first round."""
        caps = [self.caps.draft] * len(self.problems)
        return self.caller.drafts(self.problems, WIDTH, caps, self.temperature, self.seed)

    def pdr(self, name: str, drafts: list[list[tuple[str, str] | None]]) -> None:
        """Distils and refines given drafts."""
        kept = [[item for item in each if item is not None] for each in drafts]
        texts = [[draft_text(*item) for item in each] for each in kept]
        live = [place for place, each in enumerate(texts) if each]
        reading = [(self.problems[i], texts[i]) for i in live]
        kappas = [self.caps.kappa] * len(live)
        made = self.caller.workspaces(reading, kappas, self.temperature, self.seed + 1)
        spaces = dict(zip(live, made, strict=True))
        thinking, answer = self.caps.last
        inputs = [(self.problems[i], spaces[i]) for i in live]
        asked = [Request(self.caller.prompt("refine", each), thinking + answer, thinking) for each in inputs]
        last = dict(zip(live, self.caller.ask(asked, self.temperature, self.seed + 2), strict=True))
        for place, problem in enumerate(self.problems):
            text = ""
            if place in last:
                written, completion = last[place]
                fields = draft_fields(written, completion.ended)
                text = fields[1] if fields else majority([item[1] for item in kept[place]])
            self._note(name, float(worksheet_correct(problem, text)))
            answers = [{a for a in _solved(problem, item[1])} for item in kept[place]]
            said = claims(problem, spaces.get(place, ""))
            good = {item.index for item in said if item.right}
            self._stage(name, "drafts", sum(map(len, answers)) / max(1, len(answers)) / self.lines)
            in_drafts = {c.index for item in texts[place] for c in claims(problem, item) if c.right}
            self._stage(name, "union", len(in_drafts) / self.lines)
            self._stage(name, "workspace", len(good) / self.lines)
            self._stage(name, "false", len({item.index for item in said} - good) / self.lines)
            final = {LABELS.index(label) for label in _solved(problem, text)}
            self._stage(name, "refined", len(final) / self.lines)
            self._stage(name, "lost", len(good - final) / self.lines)
            self._stage(name, "repaired", len(final - good) / self.lines)

    def long(self, samples: int, votes: int) -> None:
        """Long chains of thought, `samples` of each worksheet, and the majority of the first `votes`."""
        thinking, answer = self.caps.long
        prompts = [self.caller.prompt("draft", [problem]) for problem in self.problems]
        asked = [Request(prompt, thinking + answer, thinking) for prompt in prompts for _ in range(samples)]
        made = self.caller.ask(asked, self.temperature, self.seed + 3)
        for place, problem in enumerate(self.problems):
            fields = [draft_fields(text, item.ended) for text, item in made[place * samples : (place + 1) * samples]]
            answers = [each[1] for each in fields if each is not None]
            self._note("long_cot", sum(worksheet_correct(problem, each) for each in answers) / samples)
            items = [item for _, item in made[place * samples : (place + 1) * samples]]
            self._cost("long_cot", len(prompts[place]), items)
            if votes > 1:
                chosen = [each[1] for each in fields[:votes] if each is not None]
                self._note(f"majority_{votes}", float(worksheet_correct(problem, majority(chosen))))

    def _cost(self, name: str, prompt: int, items: list[Completion]) -> None:
        spent = sum(prompt + len(item.ids) for item in items) / len(items)
        self.result.tokens.setdefault(name, []).append(spent)

    def _note(self, name: str, value: float) -> None:
        self.result.right.setdefault(name, []).append(value)

    def _stage(self, name: str, stage: str, value: float) -> None:
        self.result.stages.setdefault(f"{name} {stage}", []).append(value)


def _solved(problem: str, answer: str) -> list[str]:
    """Labels of the lines that an answer solves."""
    rows = {row.partition(":")[0]: row for row in answer.splitlines()}
    return [label for label in parse_problem(problem) if label in rows and lines_solved(problem, rows[label])]


def majority(answers: list[str]) -> str:
    """The answer that most give, of equals the one that came up first; "" without any."""
    groups: list[list[str]] = []
    for answer in answers:
        group = next((each for each in groups if same_worksheet(each[0], answer)), None)
        if group is None:
            groups.append([answer])
        else:
            group.append(answer)
    return max(groups, key=len)[0] if groups else ""


def table(result: Result) -> str:
    """Every strategy with its interval, and the stages' shares of lines."""
    rows = []
    for name, values in result.right.items():
        whole = set(values) <= {0.0, 1.0}
        interval = wilson(sum(values), len(values)) if whole else bootstrap_mean(values)
        mean = 100 * sum(values) / len(values)
        rows.append(f"{name:14} {mean:5.1f} [{100 * interval.low:.1f}-{100 * interval.high:.1f}] of {len(values)}")
    shares = {name: f"{100 * sum(values) / len(values):.1f}" for name, values in result.stages.items()}
    spent = {name: round(sum(values) / len(values)) for name, values in result.tokens.items()}
    return "\n".join([*rows, f"lines: {shares}", f"tokens a chain: {spent}"])


def compared(first: Result, second: Result) -> str:
    """Second minus first, strategy by strategy, paired."""
    rows = []
    for kind in ("right", "stages"):
        one, two = getattr(first, kind), getattr(second, kind)
        for name in one.keys() & two.keys():
            if len(one[name]) == len(two[name]):
                found = paired_difference(one[name], two[name])
                low, high = 100 * found.interval.low, 100 * found.interval.high
                rows.append(f"{name:22} {100 * found.mean:+5.1f} [{low:+.1f}, {high:+.1f}] {found.wins}/{found.losses}")
    return "\n".join(sorted(rows))


def load(path: Path) -> Result:
    """A kept result."""
    return Result(**json.loads(path.read_text(encoding="utf-8")))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compare", type=Path, nargs=2)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--lines", type=int, choices=sorted(CAPS), default=4)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--split", choices=("search", "report"), default="search")
    parser.add_argument("--set", type=int, default=0, help="seed of the worksheets")
    parser.add_argument("--drafts", type=Path, help="drafts of the first round: read from here, or written here")
    parser.add_argument("--chains", type=int, default=0, help="long chains of thought a worksheet")
    parser.add_argument("--votes", type=int, default=5)
    parser.add_argument("--no-own", action="store_true", help="only with the drafts of the file")
    parser.add_argument("--temperature", type=float, default=TEMPERATURE)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.compare:
        print(compared(*map(load, options.compare)))
        return
    torch.set_num_threads(1)
    problems = [item.inputs["problem"] for item in worksheets(options.count, options.lines, options.split, options.set)]
    generator = Generator.load(options.weights / "tokenizer.json", options.split)
    measured = Evaluation(Caller(reasoner_of(options.weights), generator), problems, options.lines, options.temperature)
    if options.drafts and options.drafts.exists():
        kept = json.loads(options.drafts.read_text(encoding="utf-8"))[: options.count]
        measured.pdr("given", [[tuple(item) if item else None for item in each] for each in kept])
    if not options.no_own:
        drafts = measured.drafts()
        if options.drafts and not options.drafts.exists():
            options.drafts.write_text(json.dumps(drafts), encoding="utf-8")
        measured.pdr("pdr", drafts)
    if options.chains:
        measured.long(options.chains, min(options.votes, options.chains))
    if options.out:
        options.out.write_text(json.dumps(asdict(measured.result)), encoding="utf-8")
    print(table(measured.result))


if __name__ == "__main__":
    main()
