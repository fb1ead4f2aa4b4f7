"""From real states to examples: what a teacher with an exact checker would have written there, in every role."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from experiments.reasoner import roles
from experiments.reasoner.data import CONTEXT, LONG_SHARE, Example, Generator
from experiments.reasoner.roles import Claim
from experiments.reasoner.task import Puzzle, puzzle
from experiments.reasoner.templates import COMPLETED, marker
from experiments.reasoner.tokenizer import CLOSE, END, THINK
from experiments.reasoner.traces import CHECK, COPY, PLAIN, Claimed, Piece, search, true_result
from experiments.training.operator_sft.config import Config, Role
from experiments.training.operator_sft.falsehoods import false_claim
from experiments.training.operator_sft.reading import claims
from experiments.training.operator_sft.states import WIDTHS, State
from pdr_dspy.data.worksheets import LABELS, Step, parse_problem
from pdr_dspy.workflow import Stage
from pdr_dspy.workspace import render_drafts

LIMITS = (24, 24, 32)
"""Workspace tokens for each line that a distil call is told."""

ANSWERS = 3.0
"""Loss weight of the answers' expressions: nesting them is where most right workings are lost."""

_VERDICT = re.compile(r"^([A-H])(?: \d+){2} (ok|bad)$", re.MULTILINE)

CHECK_TOKENS = 4
"""Tokens of a check at a glance."""

THINKING = 80
"""Thinking tokens a refinement has for each line."""


class Teacher:
    """Makes examples of states. Deterministic in the random source it is given.

    Args:
        generator: The tokenizer and the prompts.
        config: Shares of roles and styles.
    """

    def __init__(self, generator: Generator, config: Config) -> None:
        self.generator = generator
        self.config = config

    def example(self, role: Role, state: State, rng: random.Random) -> Example | None:
        """One example of a role, or None where it does not fit into the context.

        In `config.falsified` of them, claims of the state are made false now and then.
        """
        stage: Stage = "refine" if role == "finish" else role
        if role != "finish" and rng.random() < self.config.falsified:
            state = falsified(state, rng)
        styles = list(self.generator.prompts.instructions[stage])
        style = "default" if role == "finish" or rng.random() < self.config.default else rng.choice(styles)
        inputs, pieces = getattr(self, f"_{role}")(state, style, rng)
        prompts = self.generator.prompts
        system, user = prompts.render(stage, prompts.instructions[stage][style], [state.problem, *inputs])
        made = self.generator.encoded(system, user, [*pieces, (END, COPY)])
        return made if len(made.ids) <= CONTEXT else None

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
        return [text], refinement(state.problem, text, style, _cap(state.problem, rng, self.config.checked), rng)

    def _finish(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        space = rng.choice([each for each in state.spaces if each.cut] or state.spaces)
        tokens = [str(self.generator.tokenizer.decode([each], skip_special_tokens=False)) for each in space.thinking]
        accepted = accepted_in(state.problem, space.text, "".join(tokens))
        own: list[Piece] = [(THINK, 0.0), *((token, 0.0) for token in tokens), (CLOSE, 0.0)]
        return [space.text], [*own, *roles.solution_pieces(accepted, ANSWERS)]

    def _space(self, state: State, rng: random.Random) -> str:
        """One of the model's own workspaces, `faulty` of them with something to mend, where there is such a one."""
        texts = [space.text for space in state.spaces]
        if rng.random() < self.config.faulty:
            texts = [text for text in texts if faulty(state.problem, text)] or texts
        return rng.choice(texts)

    def _pick(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        drafts = _some(state, rng)
        count = rng.randint(1, min(4, len(drafts)))
        told = [claims(state.problem, draft) for draft in drafts]
        pieces: list[Piece] = [(marker("picks"), PLAIN), ("[", PLAIN)]
        for position, index in enumerate(roles.ranked(told, style)[:count]):
            pieces += [(str(index + 1), COPY)] if position == 0 else [(",", PLAIN), (f" {index + 1}", COPY)]
        return [render_drafts(drafts), str(count)], [*pieces, ("]", COPY), (COMPLETED, COPY)]

    def _analyse(self, state: State, style: str, rng: random.Random) -> tuple[list[str], list[Piece]]:
        draft = rng.choice(state.drafts)
        rows = roles.analysis_rows(claims(state.problem, draft), len(parse_problem(state.problem)), style)
        pieces = roles.analysis_pieces(rows)
        return [draft], [(marker("analysis"), PLAIN), *pieces, (COMPLETED, COPY)]


def falsified(state: State, rng: random.Random) -> State:
    """A state some of whose right claims are false, as real drafts would say them: of drafts, and of a workspace."""
    puzzles = puzzles_of(state.problem)
    share = rng.choice((0.1, 0.25, 0.5))

    def changed(text: str) -> str:
        for item in claims(state.problem, text):
            if item.right and rng.random() < share:
                text = text.replace(item.workings, false_claim(item.index, puzzles, rng).workings, 1)
        return text

    spaces = tuple(replace(space, text=changed(space.text)) for space in state.spaces)
    return State(state.problem, tuple(map(changed, state.drafts)), spaces)


def _some(state: State, rng: random.Random) -> list[str]:
    width = min(rng.choice(WIDTHS), len(state.drafts))
    return rng.sample(state.drafts, width)


def _cap(problem: str, rng: random.Random, checked: float) -> int:
    """Thinking tokens after which a refinement is cut: as it will be in use, never, or anywhere.

    In `checked` of them soon after its checks, so that they cost little and their verdicts weigh.
    """
    lines = len(parse_problem(problem))
    if rng.random() < checked:
        return CHECK_TOKENS * lines + rng.randint(0, 40)
    drawn = rng.random()
    return THINKING * lines if drawn < 0.5 else CONTEXT if drawn < 0.5 + LONG_SHARE else rng.randint(24, 400)


def puzzles_of(problem: str) -> list[Puzzle]:
    """The worksheet's lines with their solutions."""
    return [puzzle(line) for line in parse_problem(problem).values()]


def workspace(problem: str, drafts: Sequence[str], limit: int, style: str) -> list[Piece]:
    """The rows that a distil call should write: of each line the right working that most drafts gave, else `open`."""
    told = [claims(problem, draft) for draft in drafts]
    said = Counter(item for draft in told for item in draft if item.right)
    # The last right claim of a line is taken: the most frequent one, of equals the one that came up first.
    best = [item for item, _ in reversed(said.most_common())]
    return roles.workspace_pieces([*told, best], puzzles_of(problem), limit, style)


def accepted_in(problem: str, notes: str, thinking: str) -> dict[int, tuple[Step, ...]]:
    """The lines that a refinement's own thinking holds for solved, and their steps, true or not.

    The claims that it passed, those right ones that it did not look at, and what it then settled itself.
    """
    lines = list(parse_problem(problem).values())
    verdicts = {LABELS.index(label): verdict for label, verdict in _VERDICT.findall(thinking)}
    accepted: dict[int, tuple[Step, ...]] = {}
    for item in claims(problem, notes):
        if verdicts.get(item.index, "ok" if item.right else "bad") == "ok":
            accepted.setdefault(item.index, item.steps)
    for item in claims(problem, thinking):
        if item.steps[-1].result == lines[item.index].target:
            accepted[item.index] = item.steps
    return accepted


def faulty(problem: str, text: str) -> bool:
    """Whether a workspace lacks a line or has something false about one."""
    found = claims(problem, text)
    return not all(item.right for item in found) or len({item.index for item in found}) < len(parse_problem(problem))


def refinement(problem: str, text: str, style: str, cap: int, rng: random.Random) -> list[Piece]:
    """A refinement of a workspace: every claim checked truly, what is open or refuted worked on.

    Args:
        problem: The worksheet.
        text: The workspace.
        style: The prompt's id.
        cap: Thinking tokens.
        rng: Where the search begins.
    """
    found = list(dict.fromkeys(claims(problem, text)))
    trusted: dict[int, tuple[Step, ...]] = {}
    checks: list[Claimed] = []
    for item in found:
        if style != "brief":
            full = style == "checking" and _workable(item)
            checks.append(Claimed(item.index, item.steps, "full" if full else "glance", item.right))
        elif item.right:
            trusted.setdefault(item.index, item.steps)
    checks.sort(key=lambda item: item.index)
    trace = search(puzzles_of(problem), rng, cap, claims=checks, trusted=trusted, style=style)
    natural = trace.finished and len(trace.pieces) <= cap
    accepted = {index: steps for index, (steps, at) in trace.accepted.items() if at <= cap}
    closing = (CLOSE, COPY if natural else 0.0)
    return [(THINK, PLAIN), *trace.pieces[:cap], closing, *roles.solution_pieces(accepted, ANSWERS)]


def _workable(item: Claim) -> bool:
    """Whether every step of a claim makes a whole positive number, so that it can be worked out again."""
    return all(
        (step.op != "/" or (step.right > 0 and step.left % step.right == 0)) and 0 < true_result(step) < 1000
        for step in item.steps
    )
