"""What each kind of grader takes for right. Pure, but for what math-verify is asked."""

from __future__ import annotations

import re
from asyncio import to_thread
from dataclasses import dataclass
from fractions import Fraction

from pdr_dspy.answers import Undecided, read
from pdr_dspy.answers.aside import comparison, reading
from pdr_dspy.answers.compare import nodes
from pdr_dspy.answers.equality import settled
from pdr_dspy.answers.evaluate import evaluate
from pdr_dspy.answers.mathpool import MathPool
from pdr_dspy.answers.nodes import Group, Named, Node, Reading, Relation, Scalar, Token, Words
from pdr_dspy.answers.outcomes import Outcome
from pdr_dspy.answers.prose import words as as_words
from pdr_dspy.answers.relating import result
from pdr_dspy.answers.scalars import scalings
from pdr_dspy.data.graders.protocol import Verdict, reference_of
from pdr_dspy.data.graders.tolerance import Tolerance
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.worksheets import same_worksheet, worksheet_correct

_HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
_ABOUT = re.compile(
    r"(?:\b(?:approximately|approx\.?|about|roughly|around|nearly|almost)(?![a-z])|\\approx(?![a-z])|~)\s*[-+$]?(?=[0-9])",
    re.IGNORECASE,
)

_INLINE = 4000
"""Characters of a worksheet that is judged at once; a longer one is judged in a thread, for the event loop's sake."""


async def exact(problem: Problem, text: str) -> Verdict:
    """The same text, white space aside."""
    return Verdict(await same_text(reference_of(problem), text))


async def same_text(first: str, second: str) -> bool:
    """Whether two texts differ in white space alone."""
    return first.split() == second.split()


async def worksheet(problem: Problem, text: str) -> Verdict:
    """Every line of the worksheet is solved."""
    # A worksheet has one input; its name is the user's.
    asked = "\n".join(problem.inputs.values())
    right = worksheet_correct(asked, text) if len(text) <= _INLINE else await to_thread(worksheet_correct, asked, text)
    return Verdict(right)


async def same_sheets(first: str, second: str) -> bool:
    """Whether two worksheets give the same results."""
    if len(first) + len(second) <= _INLINE:
        return same_worksheet(first, second)
    return await to_thread(same_worksheet, first, second)


async def words(problem: Problem, text: str) -> Verdict:
    """One of the right answers in words."""
    for reference in problem.answers or (reference_of(problem),):
        if await same_words(reference, text):
            return Verdict(True)
    return Verdict(False)


async def same_words(first: str, second: str) -> bool:
    """Whether two say the same words, an explanation and a sentence around one of them aside."""
    one, other = await reading(first), await reading(second)
    said, also = [_HYPHEN.sub(" ", await _words_of(each)) for each in (one, other)]
    if not said:
        return bool(one.text) and one.text == other.text
    if said == also:
        return True
    if said.replace(",", "") == also.replace(",", ""):
        return True
    return isinstance(one.node, Words | Named | Token) and await comparison(one, other) is True


async def _words_of(given: Reading) -> str:
    if len(given.text) <= _INLINE:
        return as_words(given.text).text
    return (await to_thread(as_words, given.text)).text


async def integer(problem: Problem, text: str) -> Verdict:
    """The reference's integer."""
    return Verdict(await same_integer(reference_of(problem), text))


async def same_integer(first: str, second: str) -> bool:
    """Whether two give the same integer; where one gives none, whether they say the same. `about 42` gives none."""
    one, other = await reading(first), await reading(second)
    if (_ABOUT.search(one.text) is None) != (_ABOUT.search(other.text) is None):
        return False
    wanted, given = number(one), number(other)
    if wanted is not None and given is not None and wanted.value is not None and given.value is not None:
        return any(wanted.value * scale == given.value * other for scale, other in scalings(wanted, given))
    return wanted is None and given is None and await comparison(one, other) is True


def number(given: Reading) -> Scalar | None:
    """The one number that a reading gives, its value worked out where it is an expression; None where it gives none."""
    for node in (given.node, given.sentence):
        inner: Node | None = node
        while isinstance(inner, Named):
            inner = inner.value
        if isinstance(inner, Relation):
            inner = result(inner)
        if isinstance(inner, Scalar):
            if inner.value is not None:
                return inner
            value = evaluate(inner.text)
            if isinstance(value, complex) and abs(value.imag) <= 1e-12 * abs(value):
                value = Fraction(value.real)
            if isinstance(value, Fraction):
                return Scalar(inner.text, value, inner.unit)
        if isinstance(inner, Group):
            return None
    return None


@dataclass(frozen=True)
class Number:
    """The reference's number, or one within a tolerance."""

    tolerance: Tolerance | None = None
    pool: MathPool | None = None

    async def __call__(self, problem: Problem, text: str) -> Verdict:
        answers = problem.answers or (reference_of(problem),)
        verdict = Verdict(False)
        for reference in answers:
            verdict = await self._judge(await reading(reference), await reading(text))
            if verdict:
                break
        return verdict

    async def _judge(self, reference: Reading, answer: Reading) -> Verdict:
        if self.tolerance is None:
            return await judged(await comparison(reference, answer), self.pool)
        wanted, given = number(reference), number(answer)
        if wanted is None or given is None:
            return await judged(await comparison(reference, answer), self.pool)
        return Verdict(self._near(wanted, given))

    def _near(self, wanted: Scalar, given: Scalar) -> bool:
        assert self.tolerance is not None and wanted.value is not None and given.value is not None
        # An absolute tolerance is in the reference's unit.
        return any(
            self.tolerance.allows(wanted.value, given.value * other / scale) for scale, other in scalings(wanted, given)
        )

    async def same(self, first: str, second: str) -> bool:
        """Whether two are the same answer: either would be right by the other.

        Raises:
            Undecided: math-verify could not say.
        """
        one, other = await reading(first), await reading(second)
        numbers = number(one), number(other)
        if self.tolerance is None or numbers[0] is None or numbers[1] is None:
            return await settled(await comparison(one, other), self.pool)
        return self._near(numbers[0], numbers[1]) or self._near(numbers[1], numbers[0])


@dataclass(frozen=True)
class Math:
    """Mathematically equal to the reference; `all`: to every part of it; `any`: to one of several right answers."""

    pool: MathPool | None = None
    kind: str = "math"

    async def __call__(self, problem: Problem, text: str) -> Verdict:
        answer = await reading(text)
        if self.kind == "all" and problem.answers:
            wanted = [part for each in problem.answers for part in parts(read(each).node)]
            listed = parts(answer.node)
            given = Group(listed) if len(listed) > 1 else answer.node
            return await judged(nodes(Group(tuple(wanted)), given), self.pool)
        verdict = Verdict(False)
        for reference in (problem.answers if self.kind == "any" else ()) or (reference_of(problem),):
            said = await judged(await comparison(await reading(reference), answer), self.pool)
            if said:
                return said
            verdict = said if said.failure else verdict
        return verdict

    async def same(self, first: str, second: str) -> bool:
        """Whether two answers are mathematically equal."""
        return await settled(await comparison(await reading(first), await reading(second)), self.pool)


def parts(node: Node) -> tuple[Node, ...]:
    """What a plain enumeration lists, each under the name of the whole (`x=2 or x=3`); else the one node."""
    if isinstance(node, Named) and isinstance(node.value, Group) and not node.value.shape:
        return tuple(Named(node.name, item, node.symbol) for item in node.value.items)
    return node.items if isinstance(node, Group) and not node.shape else (node,)


async def judged(outcome: Outcome, pool: MathPool | None) -> Verdict:
    """The verdict a comparison comes to; one that math-verify can't decide is wrong, and says so."""
    try:
        return Verdict(await settled(outcome, pool))
    except Undecided as error:
        return Verdict(False, "grader", str(error))
