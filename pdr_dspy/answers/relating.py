"""Whether two equations or inequalities say the same. Pure."""

from __future__ import annotations

from fractions import Fraction

from pdr_dspy.answers.blanks import squeezed
from pdr_dspy.answers.evaluate import close, evaluate
from pdr_dspy.answers.linear import asked_sum, same_equation
from pdr_dspy.answers.nodes import Named, Node, Relation, Scalar
from pdr_dspy.answers.outcomes import Ask, Outcome, every
from pdr_dspy.answers.scalars import expressions


def text_of(node: Node) -> str:
    """The expression that a node is; empty where it is none."""
    return node.text if isinstance(node, Scalar) else ""


def equations(named: Named, relation: Relation) -> Outcome:
    """Whether `y = 2 - x` says what a reference's other equation does, or the other way round."""
    text = text_of(named.value)
    linear = _linear((named.name, text), relation)
    if linear is not None:
        return linear
    return Ask(f"{named.name}={text}", _written(relation)) if text and named.symbol else False


def _written(relation: Relation) -> str:
    signs = {"<=": "\\le", ">=": "\\ge", "!=": "\\ne", "==": "\\equiv"}
    parts = [relation.terms[0]]
    for sign, term in zip(relation.signs, relation.terms[1:], strict=True):
        parts += [signs.get(sign, sign), term]
    return " ".join(parts)


def solved(relation: Relation, named: Named) -> Outcome:
    """Whether `y = 2 - x` is a reference's linear equation, solved for a variable."""
    return _linear((named.name, text_of(named.value)), relation) is True


def _linear(sides: tuple[str, str], relation: Relation) -> bool | None:
    if relation.signs != ("=",) or not all(sides):
        return None
    left, right = relation.terms
    return same_equation(sides, (left, right))


def result(relation: Relation) -> Scalar | None:
    """What `m + n = 100 + 104 = 204` comes to, where a problem asks for such a sum."""
    first, *rest = relation.terms
    values = [evaluate(term) for term in rest]
    last = values[-1]
    if set(relation.signs) != {"="} or not isinstance(last, Fraction) or not asked_sum(first):
        return None
    if any(value is None or not close(value, last) for value in values):
        return None
    return Scalar(rest[-1], last)


def relations(reference: Relation, answer: Relation) -> Outcome:
    """Whether two relations say the same."""
    if reference.signs == answer.signs:
        turned = [answer.terms] + ([answer.terms[::-1]] if set(answer.signs) <= {"=", "!="} else [])
        if any([*map(squeezed, reference.terms)] == [*map(squeezed, terms)] for terms in turned):
            return True
        if answer.signs == ("=",) and (linear := _linear((answer.terms[0], answer.terms[1]), reference)) is not None:
            return linear
        if squeezed(reference.terms[0]) == squeezed(answer.terms[0]) and len(reference.terms) == len(answer.terms):
            return every([expressions(a, b) for a, b in zip(reference.terms[1:], answer.terms[1:], strict=True)])
    if set(reference.signs) != set(answer.signs) or len(reference.signs) > 1 or len(answer.signs) > 1:
        if reference.signs != answer.signs:
            return False
        return every([expressions(a, b) for a, b in zip(reference.terms, answer.terms, strict=True)])
    return Ask(_written(reference), _written(answer))
