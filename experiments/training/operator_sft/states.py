"""Worksheets of the split `train` with the current weights' own drafts and workspaces, in the library's prompts."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import compress
from pathlib import Path

from pydantic import TypeAdapter

from experiments.kept import parsed
from experiments.reasoner.data import Generator, PieceTokenizer
from experiments.reasoner.model import Reasoner
from experiments.reasoner.task import draw
from experiments.reasoner.tokenizer import chat_text
from experiments.training.operator_sft.config import Sheets
from experiments.training.operator_sft.reading import claims, draft_fields, draft_text, said, workspace_text
from experiments.training.operator_sft.sampler import Completion, Marks, Request, generate
from pdr_dspy.data.worksheets import parse_problem, problem_text
from pdr_dspy.workflow import Stage
from pdr_dspy.workflow.plan import MARKERS
from pdr_dspy.workspace import render_drafts

GROUP = 128
WIDTHS = (4, 6, 8, 8, 8, 8)


@dataclass(frozen=True)
class Space:
    """A workspace that the model wrote.

    Attributes:
        chosen: Places of the drafts it read, in the order it read them.
        text: What it wrote, within kappa.
        thinking: Token ids of what it then thought, refining it.
        cut: Whether that thinking reached its cap.
    """

    chosen: tuple[int, ...]
    text: str
    thinking: tuple[int, ...] = ()
    cut: bool = False


@dataclass(frozen=True)
class State:
    """A worksheet.

    Attributes:
        problem: Its text.
        drafts: Drafts as later calls read them.
        spaces: Workspaces.
        thoughts: Token ids of the thinking of calls for a draft, those included that came to nothing.
    """

    problem: str
    drafts: tuple[str, ...]
    spaces: tuple[Space, ...]
    thoughts: tuple[tuple[int, ...], ...] = ()


class Caller:
    """Asks the weights in the library's prompts.

    Args:
        model: The weights.
        generator: The tokenizer and the prompts.
    """

    def __init__(self, model: Reasoner, generator: Generator) -> None:
        self.model, self.generator = model.eval(), generator
        self.marks = Marks.of(generator.tokenizer.get_vocab())
        self.counter = PieceTokenizer(generator.tokenizer)

    def prompt(self, stage: Stage, inputs: Sequence[str], style: str = "default") -> tuple[int, ...]:
        """The token ids of a call's prompt; `inputs` in the order problem, then the stage's own fields."""
        prompts = self.generator.prompts
        system, user = prompts.render(stage, prompts.instructions[stage][style], list(inputs))
        return tuple(self.generator.tokenizer.encode(chat_text(system, user), add_special_tokens=False).ids)

    def ask(self, requests: Sequence[Request], temperature: float, seed: int) -> list[tuple[str, Completion]]:
        """What is written behind the thinking, and the completion itself."""
        # What does not fit is not answered, as by a server; `checks` refuses sizes that make it the rule.
        fit = [len(item.prompt) + item.most <= self.model.shape.context for item in requests]
        drawn = iter(generate(self.model, self.marks, list(compress(requests, fit)), temperature, seed))
        made = [next(drawn) if fits else Completion((), False) for fits in fit]
        return [(said(self.generator.tokenizer, self.marks, item), item) for item in made]

    def drafts(
        self, problems: Sequence[str], width: int, caps: Sequence[tuple[int, int]], temperature: float, seed: int
    ) -> list[tuple[list[str], list[tuple[int, ...]]]]:
        """For each problem its drafts as later calls read them, without those that came to nothing, and all thinking.

        Args:
            problems: The problems.
            width: Drafts of each.
            caps: For each problem, thinking tokens and tokens after them.
            temperature: Of the sampling.
            seed: Of the sampling.
        """
        requests = [
            Request(self.prompt("draft", [problem]), thinking + answer, thinking)
            for problem, (thinking, answer) in zip(problems, caps, strict=True)
            for _ in range(width)
        ]
        made = self.ask(requests, temperature, seed)
        found: list[tuple[list[str], list[tuple[int, ...]]]] = []
        for start in range(0, len(made), width):
            own = made[start : start + width]
            fields = [draft_fields(text, completion.ended) for text, completion in own]
            texts = [draft_text(*each) for each in fields if each is not None]
            found.append((texts, [self._thinking(completion) for _, completion in own]))
        return found

    def _thinking(self, completion: Completion) -> tuple[int, ...]:
        """Its thinking tokens, without the marks."""
        ids, marks = completion.ids, self.marks.thinking
        if ids[:1] != (marks.start,):
            return ()
        return ids[1 : ids.index(marks.end)] if marks.end in ids else ids[1:]

    def workspaces(
        self, reading: Sequence[tuple[str, Sequence[str]]], kappas: Sequence[int], temperature: float, seed: int
    ) -> list[str]:
        """A workspace for each (problem, drafts as text)."""
        requests = [
            Request(self.prompt("distill", [problem, render_drafts(drafts), str(kappa)]), kappa + MARKERS)
            for (problem, drafts), kappa in zip(reading, kappas, strict=True)
        ]
        found = self.ask(requests, temperature, seed)
        return [
            workspace_text(text, completion.ended, kappa, self.counter)
            for (text, completion), kappa in zip(found, kappas, strict=True)
        ]

    def thoughts(
        self, reading: Sequence[tuple[str, str]], caps: Sequence[int], temperature: float, seed: int
    ) -> list[tuple[tuple[int, ...], bool]]:
        """What is thought over each (problem, workspace), and whether it was cut."""
        requests = [Request(self.prompt("refine", each), cap + 2, cap) for each, cap in zip(reading, caps, strict=True)]
        found: list[tuple[tuple[int, ...], bool]] = []
        for cap, (_, item) in zip(caps, self.ask(requests, temperature, seed), strict=True):
            ids = self._thinking(item)[:cap]
            found.append((ids, len(ids) >= cap))
        return found


def groups(sheets: Sheets) -> int:
    """Groups of worksheets in a turn."""
    return -(-sheets.count // GROUP)


def sample(caller: Caller, sheets: Sheets, seed: str, number: int) -> list[State]:
    """The `number`-th group of worksheets with drafts and workspaces.

    Worksheets without two readable drafts are left out.
    """
    size = min(GROUP, sheets.count - number * GROUP)
    rng = random.Random(f"{seed}/{number}")
    counts, shares = zip(*sorted(sheets.lines.items()), strict=True)
    problems = [problem_text([item.line for item in draw(rng.choices(counts, shares)[0], rng)]) for _ in range(size)]
    sizes = [len(parse_problem(problem)) for problem in problems]
    caps = [(sheets.least + sheets.thinking * lines, sheets.answer * lines) for lines in sizes]
    made = caller.drafts(problems, sheets.drafts, caps, sheets.temperature, rng.randrange(2**31))
    drafts = [texts for texts, _ in made]
    usable = [place for place in range(size) if len(drafts[place]) >= 2]
    wanted = [
        (place, tuple(rng.sample(range(len(drafts[place])), min(rng.choice(WIDTHS), len(drafts[place])))))
        for place in usable
        for _ in range(sheets.spaces)
    ]
    reading = [(problems[place], [drafts[place][i] for i in chosen]) for place, chosen in wanted]
    kappas = [sheets.kappa * sizes[place] for place, _ in wanted]
    texts = caller.workspaces(reading, kappas, sheets.temperature, rng.randrange(2**31))
    most = [sheets.refined * sizes[place] for place, _ in wanted]
    asked = [(problem, text) for (problem, _), text in zip(reading, texts, strict=True)]
    thoughts = caller.thoughts(asked, most, sheets.temperature, rng.randrange(2**31))
    spaces: dict[int, list[Space]] = {}
    for (place, chosen), text, (thinking, cut) in zip(wanted, texts, thoughts, strict=True):
        spaces.setdefault(place, []).append(Space(chosen, text, thinking, cut))
    return [
        State(problems[place], tuple(drafts[place]), tuple(spaces[place]), tuple(made[place][1])) for place in usable
    ]


def summary(states: Sequence[State]) -> dict[str, float]:
    """What the states are like: shares of all lines that are right in a draft and in a workspace, and false in one."""
    drafts, right, false = [], [], []
    for state in states:
        lines = len(parse_problem(state.problem))
        drafts += [len({c.index for c in claims(state.problem, each) if c.right}) / lines for each in state.drafts]
        for space in state.spaces:
            said = claims(state.problem, space.text)
            good = {item.index for item in said if item.right}
            right.append(len(good) / lines)
            false.append(len({item.index for item in said} - good) / lines)
    named = {"drafts_right": drafts, "workspaces_right": right, "workspaces_false": false}
    return {f"states/{name}": sum(values) / len(values) for name, values in named.items() if values}


def write(path: Path, states: Iterable[State]) -> None:
    """Writes states as JSON lines."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text("".join(json.dumps(asdict(state)) + "\n" for state in states), encoding="utf-8")
    scratch.replace(path)


def read(path: Path) -> list[State]:
    """The states of a file.

    Raises:
        DataError: a line of it is none.
        OSError: it can't be read.
    """
    mend = "Remove the file: its states are drawn again"
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return [parsed(line, _STATE, f"{path}, line {n}", mend) for n, line in enumerate(lines, start=1) if line]


_STATE = TypeAdapter(State)
