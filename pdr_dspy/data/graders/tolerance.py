"""How far a number may be from the reference."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from pdr_dspy.answers.numbers import rational
from pdr_dspy.errors import DataError

_ABSOLUTE = re.compile("(?:\u00b1|\\+-|\\+/-)\\s*(.+)")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The greatest distance that still counts as right.

    Attributes:
        size: At least 0; a share of the reference, or a distance in its unit.
        relative: Whether it is a share.
    """

    size: Fraction
    relative: bool = True

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """Read `1e-3` or `0.1%` (a share of the reference), `\u00b10.5` or `+-0.5` (a distance).

        Raises:
            DataError: it is no such number, or negative, or a share of 1 or more.
        """
        mend = "Write 1e-3 for a share of the reference, or \u00b10.5 (+-0.5) for a distance."
        absolute = _ABSOLUTE.fullmatch(text.strip())
        part = absolute[1] if absolute else text.strip()
        percent = part.endswith("%") and not absolute
        size = rational(part.removesuffix("%") if percent else part)
        if size is None or size < 0:
            raise DataError("tolerance", f"{text!r} is no tolerance", mend)
        if percent:
            size /= 100
        if not absolute and size >= 1:
            raise DataError("tolerance", f"{text!r} would let every number of the same sign pass", mend)
        return cls(size, not absolute)

    def allows(self, reference: Fraction, answer: Fraction) -> bool:
        """Whether an answer is near enough to the reference."""
        return abs(reference - answer) <= self.size * (abs(reference) if self.relative else 1)

    def __str__(self) -> str:
        return f"{'' if self.relative else chr(177)}{float(self.size):.12g}"
