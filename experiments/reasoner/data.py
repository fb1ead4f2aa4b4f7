"""Training examples: a prompt as the library and the chat template render it, and the completion with its weights."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from experiments.reasoner import roles
from experiments.reasoner.phrases import perturbed
from experiments.reasoner.task import Puzzle, draw, label
from experiments.reasoner.templates import COMPLETED, OBJECTIVE, Prompts, marker
from experiments.reasoner.tokenizer import CLOSE, END, THINK, chat_text
from experiments.reasoner.traces import COPY, PLAIN, Piece, search
from pdr_dspy.data.worksheets import Split, problem_text
from pdr_dspy.workflow import Stage
from pdr_dspy.workspace import (
    LEAST_PER_ANSWER,
    LEAST_PER_DRAFT,
    LEAST_WITH_ANALYSIS,
    answers_workspace,
    bound,
    drafts_workspace,
    previous_workspace,
    render_drafts,
)

STAGE_SHARES: dict[Stage, float] = {"draft": 0.32, "refine": 0.47, "distill": 0.18, "pick": 0.02, "analyse": 0.01}
LINE_SHARES = (0.06, 0.12, 0.18, 0.34, 0.16, 0.14)
LONG_SHARE = 0.33
LONGEST_THINKING = 760
REWRITTEN_SHARE = 0.12


@dataclass(frozen=True)
class Example:
    """One training sequence: token ids, and the loss weight of each as a target (0 in the prompt)."""

    ids: list[int]
    weights: list[float]


class PieceTokenizer:
    """The reasoner's tokenizer as the workspace's `Tokenizer`."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def count(self, text: str) -> int:
        """Tokens of the text."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def cut(self, text: str, tokens: int) -> str:
        """The first `tokens` tokens as text."""
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids[:tokens]
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))


class Generator:
    """Makes examples from a tokenizer. Deterministic in the random source it is given."""

    def __init__(self, tokenizer: Tokenizer, prompts: Prompts, split: Split = "train") -> None:
        self.split: Split = split
        self.tokenizer = tokenizer
        self.prompts = prompts
        self._known: dict[str, list[int]] = {}

    @classmethod
    def load(cls, tokenizer_json: Path, split: Split = "train") -> Generator:
        """A generator for a saved tokenizer."""
        return cls(Tokenizer.from_file(str(tokenizer_json)), Prompts(), split)

    def piece_ids(self, text: str) -> list[int]:
        """The ids of a completion's piece (one, but for picks of two digits and the like)."""
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def example(self, rng: random.Random) -> Example:
        """One example of the mixture."""
        _, system, user, pieces = self.texts(rng)
        ids = self.tokenizer.encode(chat_text(system, user), add_special_tokens=False).ids
        weights = [0.0] * len(ids)
        for text, weight in pieces:
            new = self.piece_ids(text)
            ids.extend(new)
            weights.extend([weight] * len(new))
        return Example(ids, weights)

    def texts(self, rng: random.Random) -> tuple[Stage, str, str, list[Piece]]:
        """The stage, both messages, and the completion's pieces."""
        stage = rng.choices(list(STAGE_SHARES), list(STAGE_SHARES.values()))[0]
        puzzles = draw(rng.choices(range(1, 7), LINE_SHARES)[0], rng, self.split)
        style = rng.choice(list(self.prompts.instructions[stage]))
        instruction, objective = self.prompts.instructions[stage][style], OBJECTIVE
        if rng.random() < REWRITTEN_SHARE:
            style = "default"
            objective, instruction = perturbed(stage, self.prompts.instructions[stage][style], objective, rng)
        elif rng.random() < 0.4:
            style = "default"
            instruction = self.prompts.instructions[stage][style]
        make = getattr(self, f"_{stage}")
        inputs, pieces = make(puzzles, style, rng)
        problem = problem_text([item.line for item in puzzles])
        system, user = self.prompts.render(stage, instruction, [problem, *inputs], objective)
        return stage, system, user, [*pieces, (END, COPY)]

    def _thought(
        self, puzzles: list[Puzzle], style: str, rng: random.Random, known: frozenset[int], claimed: tuple[int, ...]
    ) -> list[Piece]:
        """Thinking (cut at a random token in most cases) and the solution of what is then solved."""
        long = rng.random() < LONG_SHARE
        cap = LONGEST_THINKING if long else int(24 * (1 + rng.random() * 7.4 * (1 if rng.random() < 0.8 else 2)))
        trace = search(puzzles, rng, cap, claimed=claimed, settled=known, style=style)
        natural = trace.finished and len(trace.pieces) <= cap
        thinking = trace.pieces[:cap]
        solved = known | {index for index, at in trace.solved_at.items() if at <= cap}
        closing = (CLOSE, COPY if natural else 0.0)
        return [(THINK, PLAIN), *thinking, closing, *roles.solution_pieces(sorted(solved), puzzles)]

    def _draft(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        return [], self._thought(puzzles, style, rng, frozenset(), ())

    def _refine(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        workspace = self._workspace(puzzles, rng)
        known = roles.right_lines(workspace, puzzles)
        claimed = tuple(sorted(known)) if style == "checking" else ()
        return [workspace], self._thought(puzzles, style, rng, known, claimed)

    def _workspace(self, puzzles: list[Puzzle], rng: random.Random) -> str:
        """A workspace in one of the library's forms, sometimes with less room than it needs."""
        form, count = rng.random(), len(puzzles)
        kappa = rng.randint(24, 128) if rng.random() < 0.25 else 4096
        tokens = PieceTokenizer(self.tokenizer)
        if form < 0.02:
            return ""
        if form < 0.5:
            claims = roles.claims_of(rng.sample(range(count), rng.randint(0, count)), puzzles, rng, roles.WRONG_NOTES)
            rows = [item.workings for item in claims]
            if rng.random() < 0.5:
                named = {item.index for item in claims}
                rows += [f"{label(index)}: open" for index in range(count) if index not in named]
            return bound("\n".join(rows) or roles.NONE, kappa, tokens)
        if form < 0.75:
            only = rng.random() < 0.35
            drafts = [roles.simulated_draft(puzzles, rng) for _ in range(rng.randint(1, 16 if only else 4))]
            texts = [roles.draft_text(draft, answer_only=only) for draft in drafts]
            least = LEAST_PER_ANSWER if only else LEAST_PER_DRAFT
            return (answers_workspace if only else drafts_workspace)(texts, max(kappa, least * len(texts)), tokens)
        claims = roles.claims_of(rng.sample(range(count), rng.randint(0, count)), puzzles, rng, roles.WRONG_NOTES)
        analysis = _analysis(claims, count) if rng.random() < 0.4 else None
        return previous_workspace(roles.draft_text(claims), analysis, max(kappa, LEAST_WITH_ANALYSIS), tokens)

    def _distill(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        count = rng.choice((2, 3, 4, 4, 6, 8, 8, 12, 16))
        drafts = [roles.simulated_draft(puzzles, rng) for _ in range(count)]
        limit = rng.choice((rng.randint(8, 128), 48, 64, 96))
        solved = sorted({item.index for draft in drafts for item in draft if item.right})
        still_open = [] if style == "facts_only" else [i for i in range(len(puzzles)) if i not in solved]
        text = render_drafts([roles.draft_text(draft) for draft in drafts])
        pieces = roles.workspace_pieces(solved, still_open, puzzles, limit)
        return [text, str(limit)], [(marker("workspace"), PLAIN), *pieces, (COMPLETED, COPY)]

    def _pick(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        drafts = [roles.simulated_draft(puzzles, rng) for _ in range(rng.choice((2, 3, 4, 6, 8, 12)))]
        count = rng.randint(1, min(4, len(drafts)))
        ranked = sorted(range(len(drafts)), key=lambda i: (-sum(item.right for item in drafts[i]), i))[:count]
        pieces: list[Piece] = [(marker("picks"), PLAIN), ("[", PLAIN)]
        for position, index in enumerate(ranked):
            pieces += [(str(index + 1), COPY)] if position == 0 else [(",", PLAIN), (f" {index + 1}", COPY)]
        text = render_drafts([roles.draft_text(draft) for draft in drafts])
        return [text, str(count)], [*pieces, ("]", COPY), (COMPLETED, COPY)]

    def _analyse(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        claims = [
            roles.wrong_claim(index, item, rng) if rng.random() < 0.2 else roles.claim(index, item)
            for index, item in enumerate(puzzles)
            if rng.random() < 0.6
        ]
        rows = _analysis(claims, len(puzzles)).split("\n")
        rows = rows[:1] if style == "brief" else rows
        pieces: list[Piece] = []
        for row in rows:
            name, _, word = row.partition(": ")
            start = f"\n{name}:" if pieces else f"{name}:"
            pieces += [(start, COPY), (f" {word}", COPY)] if word else [(row, COPY)]
        return [roles.draft_text(claims)], [(marker("analysis"), PLAIN), *pieces, (COMPLETED, COPY)]


def _analysis(claims: list[roles.Claim], count: int) -> str:
    said = {item.index: item.right for item in claims}
    rows = [
        f"{label(index)}: {'wrong' if index in said else 'missing'}" for index in range(count) if not said.get(index)
    ]
    return "\n".join(rows) or roles.NONE
