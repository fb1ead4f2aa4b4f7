"""Which options of a multiple-choice problem an answer names: by letter, by an option's text, by both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pdr_dspy.answers import Undecided
from pdr_dspy.answers.aside import comparison, reading
from pdr_dspy.answers.choices import chosen, offered
from pdr_dspy.answers.equality import settled
from pdr_dspy.answers.mathpool import MathPool
from pdr_dspy.answers.nodes import Reading
from pdr_dspy.data.graders.kinds import same_words
from pdr_dspy.data.graders.protocol import Verdict, reference_of
from pdr_dspy.data.problem import Problem

_BEFORE = re.compile(r"[(\[]?([A-Z])(?:[)\].:]+|\s-\s)\s*(\S.*)", re.DOTALL)
_BESIDE = re.compile(r"([A-Z])\s+[(\[]([^()\[\]]+)[)\]]")
_BEHIND = re.compile(r"(\S.*?)\s*[(\[](?:option |choice )?([A-Z])[)\]]", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """The same options as the reference, or as one of several right ones."""

    pool: MathPool | None = None

    async def __call__(self, problem: Problem, text: str) -> Verdict:
        try:
            given = await self.letters(await reading(text), problem.options)
            for reference in problem.answers or (reference_of(problem),):
                wanted = await self.letters(await reading(reference), problem.options)
                if sorted(wanted) == sorted(given) if wanted else await same_words(reference, text):
                    return Verdict(True)
        except Undecided as error:
            return Verdict(False, "grader", str(error))
        return Verdict(False)

    async def same(self, first: str, second: str, problem: Problem | None = None) -> bool:
        """Whether two name the same options, of a problem where that is known; or say the same words.

        Raises:
            Undecided: math-verify could not say.
        """
        options = problem.options if problem is not None else ()
        one, other = [await self.letters(await reading(text), options) for text in (first, second)]
        return sorted(one) == sorted(other) if one and other else await same_words(first, second)

    async def letters(self, given: Reading, options: Sequence[str]) -> str:
        """The letters of the options that a reading names; "" where it names none, or one by letter, another by text.

        A single letter may be an option's text too (`The answer is C`, of options A to D that are names of vitamins):
        the letter goes first. A text names an option where it says the same as that one and no other.

        Raises:
            Undecided: math-verify could not say.
        """
        if (rest := chosen(given.text)) != given.text:
            return await self.letters(await reading(rest), options)
        for letter, text in _both(given) if options else ():
            said = await self._saying(await reading(text), options)
            if said and offered(letter, len(options)):
                return letter if letter in said else ""
        if offered(given.letters, len(options)):
            return given.letters
        said = await self._saying(given, options)
        return said if len(said) == 1 else ""

    async def _saying(self, given: Reading, options: Sequence[str]) -> str:
        """The letters of the options whose text says what a reading says; math-verify is asked where none does so
        plainly."""
        outcomes = {chr(ord("A") + i): await comparison(await reading(text), given) for i, text in enumerate(options)}
        plainly = [letter for letter, outcome in outcomes.items() if outcome is True]
        asked = {letter: outcome for letter, outcome in outcomes.items() if outcome is not False}
        return "".join(plainly or [letter for letter, outcome in asked.items() if await settled(outcome, self.pool)])


def _both(given: Reading) -> Iterator[tuple[str, str]]:
    """A letter with the text that stands beside it, in each way that it can be read."""
    if len(given.letters) == 1 and given.option:
        yield given.letters, given.option
    if before := _BEFORE.fullmatch(given.text) or _BESIDE.fullmatch(given.text):
        yield before[1], before[2]
    if behind := _BEHIND.fullmatch(given.text):
        yield behind[2].upper(), behind[1]
