"""What an exact teacher would write: pure functions of texts, and what can be read in a refinement's own thinking."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from experiments.reasoner import roles
from experiments.reasoner.roles import Claim
from experiments.reasoner.task import Puzzle, puzzle
from experiments.reasoner.tokenizer import THINK
from experiments.reasoner.traces import PLAIN, Claimed, Piece, search, true_result
from experiments.training.operator_sft.falsehoods import false_claim
from experiments.training.operator_sft.reading import claims
from experiments.training.operator_sft.states import State
from pdr_dspy.data.worksheets import LABELS, Step, parse_problem

ANSWERS = 3.0
"""Loss weight of the answers' expressions: nesting them is where most right workings are lost."""

_TAKEN = re.compile(r"[A-H] \d+ from ")
_VERDICT = re.compile(r"^([A-H])(?: \d+){2} (ok|bad)$", re.MULTILINE)


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
    verdicts: dict[int, list[str]] = {}
    for label, verdict in _VERDICT.findall(thinking):
        verdicts.setdefault(LABELS.index(label), []).append(verdict)
    accepted: dict[int, tuple[Step, ...]] = {}
    for item in claims(problem, notes):
        own = verdicts.get(item.index)  # several claims of a line are looked at in their order
        verdict = own.pop(0) if own else "ok" if item.right else "bad"
        if verdict == "ok":
            accepted.setdefault(item.index, item.steps)
    for item in claims(problem, thinking):
        if item.steps[-1].result == lines[item.index].target:
            accepted[item.index] = item.steps
    return accepted


def circles(thinking: str) -> list[tuple[int, int]]:
    """Where thinking has just tried again what it had tried since it last took the line up: ends of rows, and lines.

    Own searches that fail mostly go round two or three tries until they are cut.
    """
    found: list[tuple[int, int]] = []
    seen: set[str] = set()
    at = 0
    for row in thinking.split("\n")[:-1]:  # the last may be cut
        at += len(row) + 1
        if _TAKEN.match(row):
            seen = set()
        elif row.endswith(" no"):
            if row in seen and row[0] in LABELS:
                found.append((at - 1, LABELS.index(row[0])))
            seen.add(row)
    return found


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
    return [(THINK, PLAIN), *roles.thought_pieces(trace, cap, ANSWERS)]


def _answered(index: int) -> re.Pattern[str]:
    """A draft's row with the answer to a line: one without an equation, behind `answer: ` or another answer."""
    return re.compile(rf"^(answer: |){LABELS[index]}: [^=\n]*\d[^=\n]*$", re.MULTILINE)


def _workable(item: Claim) -> bool:
    """Whether every step of a claim makes a whole positive number, so that it can be worked out again."""
    return all(
        (step.op != "/" or (step.right > 0 and step.left % step.right == 0)) and 0 < true_result(step) < 1000
        for step in item.steps
    )


def falsified(state: State, rng: random.Random) -> State:
    """A state some of whose right claims are false, as real drafts would say them: of drafts, and of a workspace."""
    puzzles = puzzles_of(state.problem)
    share = rng.choice((0.1, 0.25, 0.5))

    def changed(text: str) -> str:
        for item in claims(state.problem, text):
            if item.right and rng.random() < share:
                made = false_claim(item.index, puzzles, rng)
                text = text.replace(item.workings, made.workings, 1)
                # A draft's answer follows its workings, or it would give the false ones away.
                text = _answered(made.index).sub(rf"\g<1>{made.answer}", text)
        return text

    spaces = tuple(replace(space, text=changed(space.text)) for space in state.spaces)
    return State(state.problem, tuple(map(changed, state.drafts)), spaces)
