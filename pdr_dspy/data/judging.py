"""The grader of a data set: the one that was asked for, with its tolerance."""

from __future__ import annotations

from pdr_dspy.data.graders import FieldGrader, Tolerance, make_grader


def judge(kind: str, field: str, tolerance: str | None) -> FieldGrader:
    """The grader of this kind.

    Raises:
        DataError: an unknown kind, or a tolerance where it has none.
    """
    return make_grader(kind, field, tolerance=None if tolerance is None else Tolerance.parse(tolerance))
