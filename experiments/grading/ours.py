"""This library's graders on pairs, each pair by the grader of its kind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from experiments.grading.pairs import Pair
from pdr_dspy.data import FieldGrader, make_grader

AT_ONCE = 8


def our_words(pairs: Sequence[Pair]) -> list[bool | None]:
    """What our graders say of every pair; None where one could not say (a time limit, a crash).

    Raises:
        DataError: a kind that does not exist, or a tolerance that does not parse.
    """
    graders = {key: _grader(*key) for key in dict.fromkeys((pair.kind, pair.tolerance) for pair in pairs)}

    async def all_words() -> list[bool | None]:
        free = asyncio.Semaphore(AT_ONCE)

        async def word(pair: Pair) -> bool | None:
            async with free:
                verdict = await graders[pair.kind, pair.tolerance].grade(pair.problem, {"answer": pair.answer})
            return None if verdict.failure else verdict.correct

        return list(await asyncio.gather(*map(word, pairs)))

    return asyncio.run(all_words())


def _grader(kind: str, tolerance: str | None) -> FieldGrader:
    if tolerance is None:
        return make_grader(kind)
    from pdr_dspy.data import Tolerance

    return make_grader(kind, tolerance=Tolerance.parse(tolerance))
