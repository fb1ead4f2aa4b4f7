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
from experiments.reasoner.tokenizer import END, THINK, chat_text
from experiments.reasoner.traces import CHECK, COPY, PLAIN, Claimed, Piece, search
from pdr_dspy.data.worksheets import Split, Step, problem_text
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

STAGE_SHARES: dict[Stage, float] = {"draft": 0.34, "refine": 0.42, "distill": 0.17, "pick": 0.04, "analyse": 0.03}
LINE_SHARES = (0.05, 0.08, 0.13, 0.27, 0.13, 0.18, 0.07, 0.09)
LONG_SHARE = 0.3
CONTEXT = 2048
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
        """One example of the mixture, at most as long as the context."""
        while True:
            _, system, user, pieces = self.texts(rng)
            example = self.encoded(system, user, pieces)
            if len(example.ids) <= CONTEXT:
                return example

    def encoded(self, system: str, user: str, pieces: list[Piece]) -> Example:
        """A prompt and the completion's pieces as an example; the prompt has no loss."""
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
        puzzles = draw(rng.choices(range(1, 9), LINE_SHARES)[0], rng, self.split)
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
        self,
        puzzles: list[Puzzle],
        style: str,
        rng: random.Random,
        claims: list[Claimed],
        trusted: dict[int, tuple[Step, ...]],
    ) -> list[Piece]:
        """Thinking (cut at a random token in most cases) and the solution of what is then solved."""
        long = rng.random() < LONG_SHARE
        cap = CONTEXT if long else int(24 * (1 + rng.random() * 7.4 * (1 if rng.random() < 0.8 else 2)))
        trace = search(puzzles, rng, cap, claims=claims, trusted=trusted, style=style)
        return [(THINK, PLAIN), *roles.thought_pieces(trace, cap)]

    def _draft(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        return [], self._thought(puzzles, style, rng, [], {})

    def _refine(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        workspace, claims = self._workspace(puzzles, rng)
        worked, answered = roles.claims_in(workspace, claims)
        trusted: dict[int, tuple[Step, ...]] = {}
        checks = []
        for item in worked:
            if style == "brief":
                trusted.setdefault(item.index, item.steps)
            else:
                checks.append(Claimed(item.index, item.steps, "full" if style == "checking" else "glance"))
        # An answer alone does not show what it makes, so it is worked out whatever the style.
        checks += [Claimed(item.index, item.steps, "full") for item in answered]
        checks.sort(key=lambda item: item.index)
        return [workspace], self._thought(puzzles, style, rng, checks, trusted)

    def _workspace(self, puzzles: list[Puzzle], rng: random.Random) -> tuple[str, list[roles.Claim]]:
        """A workspace in one of the library's forms, sometimes with less room than it needs, and its claims."""
        form, count = rng.random(), len(puzzles)
        kappa = rng.randint(24, 160) if rng.random() < 0.25 else 4096
        tokens = PieceTokenizer(self.tokenizer)
        if form < 0.02:
            return "", []
        if form < 0.5:
            claims = roles.claims_of(rng.sample(range(count), rng.randint(0, count)), puzzles, rng, roles.WRONG_NOTES)
            rows = {item.index: item.workings for item in claims}
            if rng.random() < 0.67:
                for index in set(range(count)) - set(rows):
                    word = roles.WRONG if rng.random() < 0.15 else roles.OPEN
                    rows[index] = f"{label(index)}: {word}"
            return bound("\n".join(rows[index] for index in sorted(rows)) or roles.NONE, kappa, tokens), claims
        if form < 0.75:
            only = rng.random() < 0.4
            drafts = [roles.simulated_draft(puzzles, rng) for _ in range(rng.randint(1, 16 if only else 6))]
            texts = [roles.draft_text(draft, answer_only=only) for draft in drafts]
            least = LEAST_PER_ANSWER if only else LEAST_PER_DRAFT
            text = (answers_workspace if only else drafts_workspace)(texts, max(kappa, least * len(texts)), tokens)
            return text, [item for draft in drafts for item in draft]
        claims = roles.claims_of(rng.sample(range(count), rng.randint(0, count)), puzzles, rng)
        analysis = None
        if rng.random() < 0.4:
            style = rng.choice(list(self.prompts.instructions["analyse"]))
            analysis = "\n".join(roles.analysis_rows(claims, count, style))
        text = previous_workspace(roles.draft_text(claims), analysis, max(kappa, LEAST_WITH_ANALYSIS), tokens)
        return text, claims

    def _distill(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        count = rng.choice((2, 3, 4, 4, 6, 8, 8, 12, 16))
        drafts = [roles.simulated_draft(puzzles, rng) for _ in range(count)]
        limit = rng.choice((rng.randint(8, 200), 64, 96, 128, 160))
        text = render_drafts([roles.draft_text(draft) for draft in drafts])
        pieces = roles.workspace_pieces(drafts, puzzles, limit, style)
        return [text, str(limit)], [(marker("workspace"), PLAIN), *pieces, (COMPLETED, CHECK)]

    def _pick(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        drafts = [roles.simulated_draft(puzzles, rng) for _ in range(rng.choice((2, 3, 4, 6, 8, 12)))]
        count = rng.randint(1, min(4, len(drafts)))
        text = render_drafts([roles.draft_text(draft) for draft in drafts])
        return [text, str(count)], roles.pick_pieces(drafts, style, count)

    def _analyse(self, puzzles: list[Puzzle], style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        claims = [
            roles.wrong_claim(index, puzzles, rng) if rng.random() < 0.2 else roles.claim(index, item)
            for index, item in enumerate(puzzles)
            if rng.random() < 0.6
        ]
        pieces = roles.analysis_pieces(roles.analysis_rows(claims, len(puzzles), style))
        return [roles.draft_text(claims)], [(marker("analysis"), PLAIN), *pieces, (COMPLETED, COPY)]
