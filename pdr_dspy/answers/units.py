"""Units of measure: what stands behind a number, as powers of base units with a factor. Pure.

Two quantities are comparable where their dimensions agree (`12 cm` and `0.12 m`). What is counted (`9 apples`, `18.9
dollars per share`) is no dimension, but a name: `5 boys` are not `5 girls`. What money, a percentage or a count is said
of (`per month`) is a unit of its own, as it is often left out.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction

Dimension = tuple[tuple[str, int], ...]

_PREFIXES = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12, "c": -2, "d": -1, "m": -3, "u": -6, "µ": -6, "n": -9, "p": -12}
_SPELT = {"": 0, "kilo": 3, "mega": 6, "giga": 9, "centi": -2, "deci": -1, "milli": -3, "micro": -6, "nano": -9}
_FORCE = {"kg": 1, "m": 1, "s": -2}
_ENERGY = {"kg": 1, "m": 2, "s": -2}
_WATT = {"kg": 1, "m": 2, "s": -3}
_BASE: dict[str, tuple[str, str, dict[str, int]]] = {  # symbol: factor, spelt names, dimension
    "m": ("1", "meter metre", {"m": 1}), "g": ("1/1000", "gram gramme", {"kg": 1}), "s": ("1", "", {"s": 1}),
    "A": ("1", "ampere amp", {"A": 1}), "K": ("1", "kelvin", {"K": 1}), "mol": ("1", "mole", {"mol": 1}),
    "L": ("1/1000", "liter litre", {"m": 3}), "l": ("1/1000", "", {"m": 3}), "J": ("1", "joule", _ENERGY),
    "N": ("1", "newton", _FORCE), "W": ("1", "watt", _WATT), "Pa": ("1", "pascal", {"kg": 1, "m": -1, "s": -2}),
    "Hz": ("1", "hertz", {"s": -1}), "V": ("1", "volt", {"V": 1}), "C": ("1", "coulomb", {"A": 1, "s": 1}),
    "eV": ("1602176634/10000000000000000000000000000", "electronvolt", _ENERGY), "Wh": ("3600", "", _ENERGY),
    "erg": ("1/10000000", "erg", _ENERGY), "cal": ("4184/1000", "calorie", _ENERGY), "T": ("1", "tesla", {"T": 1}),
    "F": ("1", "farad", {"F": 1}), "Ω": ("1", "ohm", {"ohm": 1}), "bit": ("1", "bit", {"bit": 1}),
    "B": ("8", "byte", {"bit": 1}), "pc": ("30856775814913673", "parsec", {"m": 1}),
    "M": ("1000", "molar", {"mol": 1, "m": -3}),
}  # fmt: skip
_OTHER: dict[str, tuple[str, dict[str, int]]] = {  # names: factor, dimension
    "sec second": ("1", {"s": 1}), "min minute": ("60", {"s": 1}), "h hr hour": ("3600", {"s": 1}),
    "d day": ("86400", {"s": 1}), "wk week": ("604800", {"s": 1}), "month": ("1", {"month": 1}),
    "yr year annum": ("12", {"month": 1}), "decade": ("120", {"month": 1}), "century": ("1200", {"month": 1}),
    "in inch inche": ("254/10000", {"m": 1}), "ft foot feet": ("3048/10000", {"m": 1}),
    "yd yard": ("9144/10000", {"m": 1}),
    "mi mile": ("1609344/1000", {"m": 1}), "ly lightyear": ("9460730472580800", {"m": 1}),
    "au": ("149597870700", {"m": 1}),
    "angstrom": ("1/10000000000", {"m": 1}), "acre": ("40468564224/10000000", {"m": 2}),
    "ha hectare": ("10000", {"m": 2}),
    "gal gallon": ("3785411784/1000000000000", {"m": 3}), "qt quart": ("946352946/1000000000000", {"m": 3}),
    "cc": ("1/1000000", {"m": 3}), "lb pound": ("45359237/100000000", {"kg": 1}),
    "oz ounce": ("28349523125/1000000000000", {"kg": 1}),
    "ton tonne": ("1000", {"kg": 1}), "mph": ("44704/100000", {"m": 1, "s": -1}),
    "kmh kph": ("1000/3600", {"m": 1, "s": -1}),
    "atm atmosphere": ("101325", {"kg": 1, "m": -1, "s": -2}), "bar": ("100000", {"kg": 1, "m": -1, "s": -2}),
    "dyn dyne": ("1/100000", _FORCE), "rpm": ("1/60", {"s": -1}), "hp horsepower": ("7457/10", _WATT),
    "degree deg": ("1", {"degree": 1}), "rad radian": ("1", {"rad": 1}), "%": ("1/100", {"percent": 1}),
    "percent pct": ("1/100", {"percent": 1}), "$ usd dollar buck": ("1", {"dollar": 1}),
    "cent penny pennie": ("1/100", {"dollar": 1}),
    "€ eur euro": ("1", {"euro": 1}), "£ gbp": ("1", {"sterling": 1}), "¥ yen jpy": ("1", {"yen": 1}),
    "₹ inr rupee": ("1", {"rupee": 1}),
    "yuan rmb cny": ("1", {"yuan": 1}), "celsius": ("1", {"celsius": 1}), "fahrenheit": ("1", {"fahrenheit": 1}),
}  # fmt: skip
_UNITLESS = frozenset(
    {"unit", "of", "a", "an", "the", "in", "total", "each", "exactly", "only", "long", "tall", "away"}
)
_CHANGING = frozenset(
    {
        "thousand", "hundred", "dozen", "million", "billion", "trillion", "pi", "e", "i", "am", "pm", "bc", "ad",
        "and", "or", "to", "by", "out", "over", "mod", "base", "plus", "minus", "times", "sqrt", "sin", "cos", "tan",
        "log", "ln", "exp", "left", "right", "north", "south", "east", "west", "more", "less", "than", "not", "if",
        "when", "for", "where", "unless", "but", "is", "are", "was", "were", "no", "wrong", "at", "half", "halves",
        "with", "without", "until", "before", "after", "while", "because", "since", "so", "as", "which", "squared",
        "cubed", "factorial",
        "root", "twice", "thrice", "something", "some", "many", "maybe", "perhaps", "approximately", "ish",
    }
)  # fmt: skip
"""Words behind a number that are no unit."""
GLUED = frozenset({"cm", "mm", "km", "kg", "mg", "ml", "mL", "kW", "kWh", "Hz", "kHz", "MHz", "GHz", "mph", "kmh",
"nm", "eV", "keV",
                   "MeV", "GeV", "hrs", "min", "mins", "kJ", "kPa", "GB", "MB", "kB"})  # fmt: skip
"""Units that may stand right behind their number."""
_WORD = re.compile(
    r"([A-Za-zµΩ%$€£¥₹]+)\.?'?(?:\s?(?:\^|\*\*)\s?\{?\s?\(?([+-]?[0-9])\)?\s?\}?)?|(/)|([·*()]|\\cdot|\\times"
    r"|\\%|\\)|(-)"
)
_PAIRED = re.compile(
    r"(?<![A-Za-z])(mm|cm|km|m|rad)(s|h)(?=\^|-[12])|(?<![A-Za-z])(?:(N|V|kg|C)(m)|(k?J|W)(kg|K|mol)|(mol)(L|dm)"
    r"|(k?g)(cm|m|mL)|(N)(C|kg))(?=\^\{? ?-|-[123])"
)
"""Two symbols written together before a negative power: `ms^{-1}` is metres a second."""
_LONGEST = 80
_RATE = re.compile(r"\s*(?:/|(?<![A-Za-z])(?:per|each|every)(?![A-Za-z]))\s*")
_OFTEN = re.compile(r"(?<=[A-Za-z%$€£¥₹]) (?:hour|dai|week|month|year|annual)ly\Z")
_RATED = frozenset({"dollar", "euro", "sterling", "yen", "rupee", "yuan", "percent"})
"""What a rate is often said of without saying per what."""
_SQUARED = re.compile(r"([a-z]{3,}) (squared|cubed)(?![a-z])")
_MICRO = re.compile(r"\\mu ?(?=[a-zA-ZΩ])|\u03bc")
_OVER = re.compile(r"\\frac ?\{([^{}]*)\} ?\{([^{}]*)\}")
_PERIODS = {"daily": "day", "annually": "year"}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure.

    Attributes:
        dimension: Base units with their powers, sorted; empty where only names are counted.
        factor: How many of the base unit one is.
        names: What is counted, in the singular.
        per: Of a rate of money, of percent or of what is counted: per what.
    """

    dimension: Dimension = ()
    factor: Fraction = Fraction(1)
    names: frozenset[str] = field(default_factory=frozenset)
    per: Unit | None = None

    def one(self, name: str) -> bool:
        """Whether this is that one base unit."""
        return self.dimension == ((name, 1),)


DEGREE = Unit((("degree", 1),))


def _table() -> dict[str, tuple[Fraction, dict[str, int]]]:
    table = {}
    for symbol, (factor, names, dimension) in _BASE.items():
        for prefix, power in _PREFIXES.items():
            table[prefix + symbol] = (Fraction(factor) * Fraction(10) ** power, dimension)
        for prefix, power in _SPELT.items():
            for name in names.split():
                table[prefix + name] = (Fraction(factor) * Fraction(10) ** power, dimension)
    for names, (factor, dimension) in _OTHER.items():
        table |= {name: (Fraction(factor), dimension) for name in names.split()}
    return table


_UNITS = _table()


def unit(text: str) -> Unit | None:
    """The unit that a text is (`cm^2`, `meters per second`, `apples`); None where it is something else."""
    text = (
        text.replace("^\\circ C", "celsius")
        .replace("^\\circ F", "fahrenheit")
        .replace("^\\circ", "degree")
        .replace("\\Omega", "Ω")
        .strip()
    )
    text = _OVER.sub(r" \1/(\2)", _MICRO.sub("µ", text)).strip()
    text = _SQUARED.sub(lambda m: f"{'square' if m[2] == 'squared' else 'cubic'} {m[1]}", text)
    text = re.sub(r"[.\s]+$", "", text)
    if not text or len(text) > _LONGEST or "n't" in text:
        return None
    text = re.sub(r"(?<=[a-z%$]) an? (?=(?:second|minute|hour|day|week|month|year)\b)", " per ", text)
    text = _OFTEN.sub(lambda m: f" per {_PERIODS.get(m[0].strip(), m[0].strip()[:-2])}", text)
    rate = _RATE.search(text)
    if rate and text[: rate.start()].strip():
        head, per = unit(text[: rate.start()]), unit(text[rate.end() :])
        if head is None or per is None:
            return None
        if {name for name, _ in head.dimension} <= _RATED and head.per is None:
            return replace(head, per=per)
    return _plain(_PAIRED.sub(_parted, text))


def _plain(text: str) -> Unit | None:
    """A unit that is no rate of money, percent or counts."""
    powers: Counter[str] = Counter()
    names: set[str] = set()
    factor, sign, raised = Fraction(1), 1, 0
    place = 0
    for found in _WORD.finditer(text):
        if text[place : found.start()].strip():
            return None
        place = found.end()
        word, power, over, _, _ = found.groups()
        if over or word == "per":
            sign = -1
            continue
        if not word:
            continue
        if word.casefold() in _CHANGING:
            return None
        if word in ("square", "sq", "cubic", "cu"):
            raised = 2 if word.startswith("sq") else 3
            continue
        known = _known(word)
        if known is None or names:  # behind a name of what is counted, a letter is no unit
            if word.casefold() not in _UNITLESS:
                names.add(_singular(word.casefold()))
            continue
        exponent = sign * (int(power) if power else raised or 1)
        raised = 0
        factor *= known[0] ** exponent
        for base, count in known[1].items():
            powers[base] += count * exponent
    if text[place:].strip():
        return None
    if powers.keys() & {"celsius", "fahrenheit"}:
        del powers["degree"]
    dimension = tuple(sorted((base, count) for base, count in powers.items() if count))
    return Unit(dimension, factor, frozenset(names))


def _parted(found: re.Match[str]) -> str:
    if not re.match(r"\^?\{? ?-", found.string[found.end() :]):
        return found[0]
    first, second = (part for part in found.groups() if part)
    return f"{first} {second}" + ("^" if found.string[found.end()] == "-" else "")


def _known(word: str) -> tuple[Fraction, dict[str, int]] | None:
    if word in _UNITS:
        return _UNITS[word]
    small = word.casefold()
    if len(small) > 2:
        return _UNITS.get(small) or _UNITS.get(small.removesuffix("s")) or _UNITS.get(small.removesuffix("es"))
    return None


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def scales(first: Unit | None, second: Unit | None) -> tuple[Fraction, Fraction] | None:
    """What two quantities are multiplied by before they are compared; None where their units exclude each other."""
    one, other = first or Unit(), second or Unit()
    whole = _comparable(one, other)
    per = scales(one.per, other.per) if one.per and other.per else (Fraction(1), Fraction(1))
    if whole is None or per is None:
        return None
    return whole[0] / per[0], whole[1] / per[1]


def _comparable(one: Unit, other: Unit) -> tuple[Fraction, Fraction] | None:
    if one.dimension and other.dimension:
        return (one.factor, other.factor) if one.dimension == other.dimension else None
    if one.names and other.names and not one.names & other.names and not (one.dimension or other.dimension):
        return None
    if (one.dimension and other.names) or (other.dimension and one.names):
        return None
    return Fraction(1), Fraction(1)
