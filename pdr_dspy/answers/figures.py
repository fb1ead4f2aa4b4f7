"""What is spelled by letters in an order, and is no product: angles, rays, points, chemical formulas, dotted numbers.

Pure, on bounded texts.
"""

from __future__ import annotations

import re

_LONGEST = 80
_ELEMENTS = (
    "He|Li|Be|Ne|Na|Mg|Al|Si|Cl|Ar|Ca|Sc|Ti|Cr|Mn|Fe|Co|Ni|Cu|Zn|Ga|Ge|As|Se|Br|Kr|Rb|Sr|Zr|Nb|Mo|Tc|Ru|Rh|Pd|Ag|Cd|In"
    "|Sn|Sb|Te|Xe|Cs|Ba|La|Ce|Pr|Nd|Pm|Sm|Eu|Gd|Tb|Dy|Ho|Er|Tm|Yb|Lu|Hf|Ta|Re|Os|Ir|Pt|Au|Hg|Tl|Pb|Bi|Po|At|Rn|Fr|Ra"
    "|Ac|Th|Pa|Np|Pu|Am|Cm|H|B|C|N|O|F|P|S|K|V|Y|I|W|U"
)
_FORMULA = re.compile(
    rf"(?=.*[0-9])(?:(?:{_ELEMENTS})[0-9]{{0,3}}|\((?:(?:{_ELEMENTS})[0-9]{{0,3}}){{1,6}}\)[0-9]{{0,3}}){{1,12}}"
)
_PLAIN_DIGIT = re.compile(r"[A-Za-z)][0-9]")
_DRESS = re.compile(r"\\(?:text|mathrm|rm|ce)(?![a-z])|[_{}\s]")
_ANGLE = re.compile(r"m?\\(?:measured)?angle([A-Z]{3})")
_RAY = re.compile(r"(\\(?:overrightarrow|vec|ray))?([A-Z]{2})")
_POINTS = re.compile(r"[A-Z]{3,12}")
_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+){2,}")


def same_points(one: str, other: str) -> bool | None:
    """Whether two runs of points, written without a sign between them, are in one order; None: not both are runs."""
    return one == other if _POINTS.fullmatch(one) and _POINTS.fullmatch(other) else None


def same_figure(one: str, other: str) -> bool | None:
    """Whether two figures, formulas or dotted numbers are the same; None where the two are no such things.

    An angle may be read from either side, a ray from its end alone.

    >>> [same_figure(r"\\\\angle ABC", each) for each in (r"\\\\angle CBA", r"\\\\angle BAC", "ABC")]
    [True, False, None]
    """
    if max(len(one), len(other)) > _LONGEST:
        return None
    if (run := same_points(one, other)) is not None:
        return run
    bare, also = (_DRESS.sub("", text) for text in (one, other))
    if (angle := _ANGLE.fullmatch(bare)) and (beside := _ANGLE.fullmatch(also)):
        return beside[1] in (angle[1], angle[1][::-1])
    if (ray := _RAY.fullmatch(bare)) and (beside := _RAY.fullmatch(also)) and (ray[1] or beside[1]):
        return ray[2] == beside[2]
    if _DOTTED.fullmatch(bare) or _DOTTED.fullmatch(also):
        return bare == also
    if _FORMULA.fullmatch(bare) and _FORMULA.fullmatch(also):
        if bare == also:
            return True
        # `V_1P_1` may be a product of variables, `H2O` is none.
        return False if _PLAIN_DIGIT.search(one) or _PLAIN_DIGIT.search(other) else None
    return None
