"""From real states to examples: what a teacher with an exact checker would have written there, in every role."""

from __future__ import annotations

import random
from collections.abc import Sequence

from experiments.reasoner import roles
from experiments.reasoner.data import CONTEXT, LONG_SHARE, Example, Generator
from experiments.reasoner.templates import COMPLETED, marker
from experiments.reasoner.tokenizer import CLOSE, END, THINK
from experiments.reasoner.traces import CHECK, COPY, PLAIN, Piece, search
from experiments.training.operator_sft.config import Role, TeacherSFT
from experiments.training.operator_sft.reading import claims
from experiments.training.operator_sft.states import WIDTHS, State
from experiments.training.operator_sft.targets import (
    ANSWERS,
    accepted_in,
    circles,
    falsified,
    faulty,
    puzzles_of,
    refinement,
    workspace,
)
from pdr_dspy.data.worksheets import parse_problem
from pdr_dspy.workflow import Stage
from pdr_dspy.workspace import render_drafts

LIMITS = (24, 24, 32)
"""Workspace tokens for each line that a distil call is told."""


STAGES: dict[Role, Stage] = {
    "distill": "distill",
    "refine": "refine",
    "finish": "refine",
    "resume": "refine",
    "resume_draft": "draft",
    "pick": "pick",
    "analyse": "analyse",
}

OWN: tuple[Role, ...] = ("finish", "resume", "resume_draft")
"""Roles that go on from the model's own thinking, which was sampled with the default instruction."""

CHECK_TOKENS = 4
"""Tokens of a check at a glance."""


class Teacher:
    """Makes examples of states. Deterministic in the random source it is given.

    Args:
        generator: The tokenizer and the prompts.
        config: Shares of roles and styles.
    """

    def __init__(self, generator: Generator, config: TeacherSFT) -> None:
        self.generator = generator
        self.config = config

    def example(self, role: Role, state: State, rng: random.Random) -> Example | None:
        """One example of a role, or None where the state gives none, or none that fits into the context.

        In `config.falsified` of them, claims of the state are made false now and then.
        """
        own, stage = role in OWN, STAGES[role]
        if not own and rng.random() < self.config.falsified:
            state = falsified(state, rng)
        styles = list(self.generator.prompts.instructions[stage])
        style = "default" if own or rng.random() < self.config.default else rng.choice(styles)
        made = getattr(self, f"_{role}")(state, style, rng)
        if made is None:
            return None
        inputs, pieces = made
        prompts = self.generator.prompts
        system, user = prompts.render(stage, prompts.instructions[stage][style], [state.problem, *inputs])
        example = self.generator.encoded(system, user, [*pieces, (END, COPY)])
        return example if len(example.ids) <= CONTEXT else None

    def _distill(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        drafts = _some(state, rng)
        limit = rng.choice(LIMITS) * len(parse_problem(state.problem))
        pieces = workspace(state.problem, drafts, limit, style)
        return [render_drafts(drafts), str(limit)], [(marker("workspace"), PLAIN), *pieces, (COMPLETED, CHECK)]

    def _refine(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        if rng.random() < self.config.own and state.spaces:
            text = self._space(state, rng)
        else:
            limit = rng.choice(LIMITS) * len(parse_problem(state.problem))
            text = "".join(piece for piece, _ in workspace(state.problem, _some(state, rng), limit, "default"))
        return [text], refinement(state.problem, text, style, self._cap(state.problem, rng), rng)

    def _finish(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        space = rng.choice([each for each in state.spaces if each.cut] or state.spaces)
        tokens = self._tokens(space.thinking)
        accepted = accepted_in(state.problem, space.text, "".join(tokens))
        own: list[Piece] = [(THINK, 0.0), *((token, 0.0) for token in tokens), (CLOSE, 0.0)]
        return [space.text], [*own, *roles.solution_pieces(accepted, ANSWERS)]

    def _resume(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]] | None:
        thoughts = [(space.text, self._tokens(space.thinking)) for space in state.spaces]
        most = self.config.sheets.refined * len(parse_problem(state.problem))
        found = self._resumed(state.problem, thoughts, most, rng)
        return None if found is None else ([found[0]], found[1])

    def _resume_draft(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]] | None:
        sheets = self.config.sheets
        thoughts = [("", self._tokens(thinking)) for thinking in state.thoughts]
        # Cut as it will be, or thought to its end: a long CoT is a draft with more room.
        short = sheets.least + sheets.thinking * len(parse_problem(state.problem))
        found = self._resumed(state.problem, thoughts, rng.choice((short, CONTEXT)), rng)
        return None if found is None else ([], found[1])

    def _resumed(
        self, problem: str, thoughts: Sequence[tuple[str, list[str]]], most: int, rng: random.Random
    ) -> tuple[str, list[Piece]] | None:
        """A workspace, and its completion: own thinking up to a try that comes back, then the line taken up anew.

        Args:
            problem: The worksheet.
            thoughts: Workspaces ("" for a draft) and what was thought over them, by tokens.
            most: Thinking tokens, those before the circle included.
            rng: Chooses one.
        """
        places = [(text, tokens, place) for text, tokens in thoughts for place in circles("".join(tokens))]
        if not places:
            return None
        text, every, (end, index) = rng.choice(places)
        tokens, said = [], 0
        for token in every:
            if said >= end:
                break
            tokens.append(token)
            said += len(token)
        accepted = accepted_in(problem, text, "".join(tokens))
        cap = max(40, most - len(tokens))
        trace = search(puzzles_of(problem), rng, cap, trusted=accepted, first=index)
        own: list[Piece] = [(THINK, 0.0), *((token, 0.0) for token in tokens)]
        return text, [*own, *roles.thought_pieces(trace, cap, ANSWERS)]

    def _tokens(self, thinking: Sequence[int]) -> list[str]:
        """Thinking tokens as texts."""
        return [str(self.generator.tokenizer.decode([each], skip_special_tokens=False)) for each in thinking]

    def _space(self, state: State, rng: random.Random) -> str:
        """One of the model's own workspaces, `faulty` of them with something to mend, where there is such a one."""
        texts = [space.text for space in state.spaces]
        if rng.random() < self.config.faulty:
            texts = [text for text in texts if faulty(state.problem, text)] or texts
        return rng.choice(texts)

    def _cap(self, problem: str, rng: random.Random) -> int:
        """Thinking tokens after which a refinement is cut: as it will be in use, never, or anywhere.

        In `config.checked` of them soon after its checks, so that they cost little and their verdicts weigh.
        """
        lines = len(parse_problem(problem))
        if rng.random() < self.config.checked:
            return CHECK_TOKENS * lines + rng.randint(0, 40)
        drawn = rng.random()
        thinking = self.config.sheets.refined * lines
        return thinking if drawn < 0.5 else CONTEXT if drawn < 0.5 + LONG_SHARE else rng.randint(24, 400)

    def _pick(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        drafts = _some(state, rng)
        count = rng.randint(1, min(4, len(drafts)))
        told = [claims(state.problem, draft) for draft in drafts]
        return [render_drafts(drafts), str(count)], roles.pick_pieces(told, style, count)

    def _analyse(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        draft = rng.choice(state.drafts)
        rows = roles.analysis_rows(claims(state.problem, draft), len(parse_problem(state.problem)), style)
        pieces = roles.analysis_pieces(rows)
        return [draft], [(marker("analysis"), PLAIN), *pieces, (COMPLETED, COPY)]


def _some(state: State, rng: random.Random) -> list[str]:
    width = min(rng.choice(WIDTHS), len(state.drafts))
    return rng.sample(state.drafts, width)
