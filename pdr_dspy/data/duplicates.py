"""Problems that are nearly the same one: the same numbers, the same answer, nearly the same words.

Only wording may differ. Worksheets and other templated problems differ in their numbers, in their answers, or in
the few words that are not the template's; none of these makes them near. The work grows with the problems' words, not
with the pairs of problems, and what is found does not depend on the problems' order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import combinations, pairwise

from pdr_dspy.answers.numbers import NUMBER_NAMES
from pdr_dspy.data.problem import Problem
from pdr_dspy.data.wording import normal_answer, normal_form

ALIKE = 0.6
"""Least Jaccard similarity of the pairs of words that two near problems have."""

TEMPLATE = 16
"""A pair of words that more problems of the same numbers and answer have is their template's, and does not count."""

LARGEST = 0.1
"""A group of more of all problems than this (and more than `SMALL`) are instances of a template, not copies."""

SMALL = 4

_NUMBER_WORDS = frozenset(NUMBER_NAMES) | {
    "hundred", "thousand", "million", "billion", "half", "quarter", "twice", "thrice", "double", "triple", "first",
    "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
}  # fmt: skip

Shingle = tuple[str, str]


def same_problems(problems: Sequence[Problem], forms: Sequence[str] | None = None) -> list[list[int]]:
    """Group problems that are the same one, or nearly.

    Two are the same where their normal forms are (`wording.normal_form`). Two are nearly the same where numbers, signs
    and single letters are the same in the same order, the answers are the same, and of the pairs of neighbouring words
    that are not a template's at least `ALIKE` are in both. Who is near to one of a group belongs to it.

    Args:
        problems: Any number.
        forms: Their normal forms, where they are known already.

    Returns:
        Groups of indices into `problems`, those of one problem included; every index is in one of them.
    """
    forms = [normal_form(problem) for problem in problems] if forms is None else forms
    copies: dict[str, list[int]] = defaultdict(list)
    for index, form in enumerate(forms):
        copies[form].append(index)
    answers = {form: frozenset(normal_answer(problems[index]) for index in indices) for form, indices in copies.items()}
    likely: dict[Hashable, list[str]] = defaultdict(list)
    words: dict[str, list[str]] = {}
    for form in sorted(copies):
        exact, words[form] = _parted(form)
        for answer in answers[form]:
            likely[exact, answer].append(form)
    leader = {form: form for form in copies}
    for bucket in likely.values():
        if len(bucket) > 1:
            for one, other in _near({form: _shingles(words[form]) for form in bucket}):
                _join(leader, one, other)
    groups: dict[str, list[str]] = defaultdict(list)
    for form in copies:
        groups[_lead(leader, form)].append(form)
    most = max(SMALL, LARGEST * len(copies))
    found: list[list[str]] = []
    for group in groups.values():
        found += [group] if len(group) <= most else [[form] for form in group]
    return [sorted(index for form in group for index in copies[form]) for group in found]


def _parted(form: str) -> tuple[str, list[str]]:
    """What must be the same, and the words that may differ."""
    exact: list[str] = []
    words: list[str] = []
    for token in form.split(" "):
        (words if len(token) > 1 and token.isalpha() and token not in _NUMBER_WORDS else exact).append(token)
    return " ".join(exact), words


def _shingles(words: Sequence[str]) -> frozenset[Shingle]:
    return frozenset(pairwise(("", *words, "")))


def _near(shingles: dict[str, frozenset[Shingle]]) -> Iterable[tuple[str, str]]:
    """Pairs of forms that are alike, of forms with the same numbers and answer."""
    if len(shingles) <= TEMPLATE:  # then every pair of words counts, and sets are faster
        for (one, first), (other, second) in combinations(shingles.items(), 2):
            if len(first & second) >= ALIKE * len(first | second):
                yield one, other
        return
    holders: dict[Shingle, list[str]] = defaultdict(list)
    for form, own in shingles.items():
        for shingle in own:
            holders[shingle].append(form)
    shared: Counter[tuple[str, str]] = Counter()
    counted: Counter[str] = Counter()
    for forms in holders.values():
        if len(forms) <= TEMPLATE:
            counted.update(forms)
            shared.update(combinations(forms, 2))
    for (one, other), both in shared.items():
        if both >= ALIKE * (counted[one] + counted[other] - both):
            yield one, other


def _lead(leader: dict[str, str], form: str) -> str:
    while leader[form] != form:
        leader[form] = leader[leader[form]]
        form = leader[form]
    return form


def _join(leader: dict[str, str], one: str, other: str) -> None:
    first, second = sorted((_lead(leader, one), _lead(leader, other)))
    leader[second] = first
