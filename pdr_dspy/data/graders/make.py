"""A grader by the name of its kind."""

from __future__ import annotations

from pdr_dspy.answers.mathpool import MathPool
from pdr_dspy.data.graders import kinds
from pdr_dspy.data.graders.choosing import Choice
from pdr_dspy.data.graders.code import CodeJudge
from pdr_dspy.data.graders.protocol import FieldGrader
from pdr_dspy.data.graders.tolerance import Tolerance
from pdr_dspy.errors import DataError
from pdr_dspy.extras import need

GRADERS = ("integer", "number", "math", "choice", "words", "exact", "all", "any", "worksheet")
"""The kinds by name; a name with a colon is a callable of one's own."""


def make_grader(
    kind: str, field: str = "answer", pool: MathPool | None = None, *, tolerance: Tolerance | None = None
) -> FieldGrader:
    """A grader by name, for one output field. All but `exact` and `worksheet` first read the answer (`answers.read`).

    - `integer`: the same integer (AIME).
    - `number`: the same number, or one within `tolerance`; units are compared where both have one.
    - `math`: mathematically equal: numbers, expressions, enumerations, intervals, words, an option's letter.
    - `choice`: names the same options: by letter, or by the text of one of the problem's `options`.
    - `words`: the same words; case, articles and sentence marks aside.
    - `exact`: the same text, white space aside.
    - `all`: every one of the reference's parts (or of the problem's `answers`), and no other.
    - `any`: one of the problem's `answers`.
    - `worksheet`: solves every line of a worksheet.
    - `package.module:function`: a callable of one's own, see `Code`.

    Args:
        kind: One of `GRADERS`, or `package.module:function`.
        field: The output field to grade.
        pool: Workers for math-verify; default: one pool for the process.
        tolerance: For `number`: how far an answer may be from its reference. Default: not at all.

    Raises:
        DataError: an unknown name, a tolerance for another kind, a callable that can't be imported or called.
        MissingExtra: the extra math is not installed, and the kind is math, all or any (others need it seldom).
    """
    if tolerance is not None and kind != "number":
        raise DataError("tolerance", f"the grader {kind!r} has none", "Use it with the grader number.")
    if ":" in kind:
        judge = CodeJudge.load(kind)
        return FieldGrader(judge.name, field, judge, needs_answer=False, typed=True)
    match kind:
        case "exact":
            return FieldGrader(kind, field, kinds.exact, same=kinds.same_text)
        case "worksheet":
            return FieldGrader(kind, field, kinds.worksheet, needs_answer=False, same=kinds.same_sheets)
        case "words":
            return FieldGrader(kind, field, kinds.words, same=kinds.same_words)
        case "choice":
            choice = Choice(pool)
            return FieldGrader(kind, field, choice, same=choice.same, same_in=choice.same)
        case "integer":
            return FieldGrader(kind, field, kinds.integer, same=kinds.same_integer)
        case "number":
            number = kinds.Number(tolerance, pool)
            name = kind if tolerance is None else f"{kind} within {tolerance}"
            return FieldGrader(name, field, number, same=number.same)
        case "math" | "all" | "any":
            need("math", f"grader {kind}")
            math = kinds.Math(pool, kind)
            return FieldGrader(kind, field, math, same=math.same)
    mend = f"Use one of {', '.join(GRADERS)}, or package.module:function."
    raise DataError("grader", f"there is no grader {kind!r}", mend)
