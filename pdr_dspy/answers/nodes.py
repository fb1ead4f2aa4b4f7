"""What an answer is, once it is read: a scalar, a group, a region, words, ... Values; no parsing here."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pdr_dspy.answers.units import Unit


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number or expression.

    Attributes:
        text: The expression, in LaTeX or plain, without its unit.
        value: The number it is, where it is written as one.
        unit: What it is measured in, where that is said.
        listed: The numbers it is as a list, where a comma may be a separator or not (`100,200`).
        whole: Of a measured number, how it is written with its unit: `2 m` may also be a product.
    """

    text: str
    value: Fraction | None = None
    unit: Unit | None = None
    listed: tuple[Fraction, ...] = ()
    whole: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Several answers in one.

    Attributes:
        items: At least one.
        shape: `(`: a tuple, in order. `[`: a list. `{`: a set. Empty: a plain enumeration.
        either: Whether "or" joins them: the values of one thing (`x=2 or x=3`).
        signed: Whether they are what one `\\pm` stands for.
    """

    items: tuple[Node, ...]
    shape: str = ""
    either: bool = False
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of equal length."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers between two bounds (`\\infty` and `-\\infty` included), each with whether it belongs to them."""

    low: Scalar
    low_closed: bool
    high: Scalar
    high_closed: bool


@dataclass(frozen=True, slots=True)
class Region:
    """Real numbers: the union of spans. `name` is the variable they are said of, where there is one."""

    spans: tuple[Span, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """The value of something: `x = 12`, `The mean is 10`. `symbol`: the name is one of mathematics."""

    name: str
    value: Node
    symbol: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """Terms with a relation between each and the next, the greater side last: `a < b < c`, `x + y = 1`."""

    terms: tuple[str, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """What is compared by its key alone: a time of day, a ratio, digits in a base, a date.

    Attributes:
        sort: `clock`, `ratio`, `base` or `date`.
        key: What it says.
        loose: What it says where the other side leaves something out (the base, AM or PM).
    """

    sort: str
    key: tuple[object, ...]
    loose: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """A text that is no mathematics, or more than that.

    Attributes:
        text: Folded, without articles and sentence marks.
        head: Of "Yes, it converges.", `yes`; else empty.
    """

    text: str
    head: str = ""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No answer."""


Node = Scalar | Group | Matrix | Region | Named | Relation | Token | Words | Nothing


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer, read once.

    Attributes:
        text: The bare text: without what stands around the answer.
        node: What it is.
        letters: The options it names, as capital letters in the order given ("" where it names none).
        option: What stands behind a single letter (`12` of "B) 12").
        sentence: Of a sentence, the one number or formula it holds.
    """

    text: str
    node: Node
    letters: str = ""
    option: str = ""
    sentence: Node | None = None
