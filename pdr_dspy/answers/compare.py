"""Whether two readings say the same. Pure: what text can't decide comes out as what math-verify is to be asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pdr_dspy.answers.blanks import same_text, squeezed
from pdr_dspy.answers.choices import same_options
from pdr_dspy.answers.classify import classify
from pdr_dspy.answers.figures import same_points
from pdr_dspy.answers.grouping import components, labelled, ordered
from pdr_dspy.answers.literals import tokens_equal
from pdr_dspy.answers.nodes import (
    Group,
    Matrix,
    Named,
    Node,
    Nothing,
    Reading,
    Region,
    Relation,
    Scalar,
    Span,
    Token,
    Words,
)
from pdr_dspy.answers.outcomes import Ask, Outcome, every, matching
from pdr_dspy.answers.prose import words
from pdr_dspy.answers.relating import equations, relations, solved, text_of
from pdr_dspy.answers.relations import PLUS
from pdr_dspy.answers.scalars import scalars
from pdr_dspy.answers.wordings import endless, said_in_words, superlative

_REPEATS = 50


def compare(reference: Reading, answer: Reading) -> Outcome:
    """Whether an answer says what the reference says.

    Units, where both have one, are compared. Every part of an enumeration is needed, in order only in parentheses. A
    sentence says the one number or expression that it holds, unless it hedges.

    Args:
        reference: The right answer.
        answer: The one to judge; between two answers of a vote, either.
    """
    if isinstance(answer.node, Nothing) or isinstance(reference.node, Nothing):
        return isinstance(answer.node, Nothing) and isinstance(reference.node, Nothing)
    if same_text(reference.text, answer.text):
        return True
    if (points := same_points(reference.text, answer.text)) is not None:
        return points
    if reference.letters and answer.letters:
        if same_options(reference.letters, answer.letters):
            return _same_option_texts(reference.option, answer.option)
        if len(reference.letters) == len(answer.letters) == 1:
            return False
    outcome = nodes(reference.node, answer.node)
    if outcome is not False:
        return outcome
    if answer.option and not reference.letters:  # "B) 12" for 12
        return nodes(reference.node, classify(answer.option)) is True
    for one, other in ((answer.sentence, reference.node), (reference.sentence, answer.node)):
        plain = isinstance(other, Scalar | Group | Region | Token) and isinstance(
            one, Scalar | Group | Region | Named | Token
        )
        own = answer.node if other is reference.node else reference.node
        if isinstance(own, Scalar):
            continue
        if one is not None and plain and (other is reference.node or _wordy(reference)):
            return nodes(reference.node, one) if other is reference.node else nodes(one, answer.node)
    return False


def _same_option_texts(one: str, other: str) -> Outcome:
    """Whether what stands behind the same letter, where it does in both, is the same: "B) 12" and "B) 13" differ."""
    if not one or not other:
        return True
    said, also = words(one).text, words(other).text
    if said.startswith(also) or also.startswith(said):
        return True
    return nodes(classify(one), classify(other))


def _wordy(reading: Reading) -> bool:
    return isinstance(reading.node, Words)


def nodes(reference: Node, answer: Node) -> Outcome:
    """Whether two nodes are equal."""
    match reference, answer:
        case Named(), _:
            return _named(reference, answer)
        case Relation(), Named() if answer.symbol:
            return solved(reference, answer)
        case Words(), Named() if superlative(reference, answer):
            return True
        case _, Named():
            return nodes(reference, answer.value) if not (isinstance(reference, Relation) and answer.symbol) else False
        case Words(), _:
            return said_in_words(reference, answer) or (endless(reference) and answer == PLUS)
        case _, Words():
            return said_in_words(answer, reference)
        case Region(), _:
            return _region(reference, answer)
        case _, Region():
            return _region(answer, reference)
        case Token(), Token():
            return tokens_equal(reference, answer)
        case Token(), Scalar():
            return _token(reference, answer)
        case Scalar(), Token():
            # In a base that nobody asked for, but the common one.
            return answer.sort == "base" and answer.key[-1:] == (10,) and _token(answer, reference)
        case Matrix(), _:
            return _matrix(reference, answer)
        case _, Matrix():
            return _matrix(answer, reference)
        case Group(), _:
            return _group(reference, answer)
        case Scalar(), Group() if reference.listed and reference.listed[0] < 100 and reference.value is not None:
            return False  # `1,234` is a number; `100,200` may be two
        case _, Group():
            return _group(answer, reference)
        case Relation(), Relation():
            return relations(reference, answer)
        case Scalar(), Scalar():
            return scalars(reference, answer)
    return False


def _named(reference: Named, answer: Node) -> Outcome:
    if isinstance(answer, Relation):
        return equations(reference, answer)
    if not isinstance(answer, Named):
        return nodes(reference.value, answer)
    if reference.symbol and answer.symbol and reference.name != answer.name:
        if {reference.name, answer.name} == {"y", "f(x)"} and "x" in text_of(reference.value):
            return nodes(reference.value, answer.value)
        # `y = 2x + 1` may be written for another variable; `x = 5` and `y = 5` are two answers.
        if isinstance(reference.value, Scalar) and isinstance(answer.value, Scalar):
            constants = reference.value.value is not None or answer.value.value is not None
            swapped = reference.name in answer.value.text and answer.name in reference.value.text
            one, other = (f"{each.name}={text_of(each.value)}" for each in (reference, answer))
            return Ask(one, other) if swapped and not constants else False
        return False
    if not reference.symbol and not answer.symbol:
        mine, theirs = set(reference.name.split()), set(answer.name.split())
        if not mine & theirs and mine - {"it", "answer"} and theirs - {"it", "answer"}:
            return False
    return nodes(reference.value, answer.value)


def _token(token: Token, number: Scalar) -> Outcome:
    """A number without its base says the digits alone; a fraction may say a ratio of two."""
    if token.sort == "base" and number.unit is None:
        return squeezed(number.text).upper() == token.loose[0]
    if token.sort == "ratio" and number.unit is None and re.search(r"/|\\frac", number.text) and number.value:
        return token.key == (number.value.numerator, number.value.denominator)
    return False


def _region(region: Region, other: Node) -> Outcome:
    if isinstance(other, Region):
        if region.name and other.name and region.name != other.name:
            return False
        if len(region.spans) != len(other.spans):
            return False
        return matching([[_span(one, two) for two in other.spans] for one in region.spans])
    if isinstance(other, Group) and other.shape in ("(", "[") and len(other.items) == 2 and len(region.spans) == 1:
        (span,) = region.spans
        if (span.low_closed, span.high_closed) != (other.shape == "[",) * 2:
            return False
        return every([nodes(span.low, other.items[0]), nodes(span.high, other.items[1])])
    return False


def _span(one: Span, two: Span) -> Outcome:
    if (one.low_closed, one.high_closed) != (two.low_closed, two.high_closed):
        return False
    return every([scalars(one.low, two.low), scalars(one.high, two.high)])


def _matrix(matrix: Matrix, other: Node) -> Outcome:
    if isinstance(other, Matrix):
        if [len(row) for row in matrix.rows] != [len(row) for row in other.rows]:
            return False
        pairs = zip(matrix.rows, other.rows, strict=True)
        return every([nodes(a, b) for one, two in pairs for a, b in zip(one, two, strict=True)])
    if isinstance(other, Scalar):
        other = components(other, max(len(matrix.rows), len(matrix.rows[0])))
    if isinstance(other, Group) and other.shape in ("(", "["):
        flat = [row[0] for row in matrix.rows] if all(len(row) == 1 for row in matrix.rows) else list(matrix.rows[0])
        if len(flat) != len(other.items) or (len(matrix.rows) > 1 and len(matrix.rows[0]) > 1):
            return False
        return every([nodes(a, b) for a, b in zip(flat, other.items, strict=True)])
    return False


def _group(group: Group, other: Node) -> Outcome:
    if isinstance(other, Scalar):
        if other.listed and len(other.listed) == len(group.items) and group.shape != "(":
            return _group(group, Group(tuple(Scalar(str(part), part) for part in other.listed)))
        if group.shape == "(" and (vector := components(other, len(group.items))) is not other:
            return nodes(group, vector)
        # One value in several spellings (`0.25 or 1/4`) is one answer.
        return (
            every([nodes(item, other) for item in group.items]) if not group.shape or len(group.items) == 1 else False
        )
    if not isinstance(other, Group):
        return False
    if len(group.items) != len(other.items):
        # A set has no repeats; a reference with some is taken as it stands.
        once = _once(other)
        if (group.shape, other.shape) != ("{", "{") or len(once.items) != len(group.items):
            return False
        other = once
    if other.either and not group.either and (labelled(group) or any(isinstance(item, Words) for item in group.items)):
        return False  # "red or blue" is not both; "2 or 3" may be the solutions
    names = [[item.name for item in each.items if isinstance(item, Named)] for each in (group, other)]
    named = [labelled(each) for each in (group, other)]
    if all(named) and set(names[0]) == set(names[1]):
        by_name = {item.name: item for item in other.items if isinstance(item, Named)}
        return every([nodes(item, by_name[item.name]) for item in group.items if isinstance(item, Named)])
    in_order = any(named) or ordered(group.shape, other.shape, len(group.items))
    if in_order is None:
        return False
    if in_order:
        return every([nodes(a, b) for a, b in zip(group.items, other.items, strict=True)])
    if len(group.items) > 100:
        return False
    mine, theirs = _left(group.items, other.items)
    return matching([[nodes(a, b) for b in theirs] for a in mine])


def _left(mine: Sequence[Node], theirs: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """What is left of two enumerations without the items that are alike to the letter: each is compared with each."""
    unmatched = Counter(theirs)
    left = []
    for item in mine:
        if unmatched[item]:
            unmatched[item] -= 1
        else:
            left.append(item)
    return left, list(unmatched.elements())


def _once(group: Group) -> Group:
    kept: list[Node] = []
    for item in group.items[:_REPEATS]:
        if not any(nodes(one, item) is True for one in kept):
            kept.append(item)
    return Group((*kept, *group.items[_REPEATS:]), group.shape)
