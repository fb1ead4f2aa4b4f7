"""Sixty problems that a model of 135M parameters can answer: `python -m experiments.real.problems` writes them anew.

Fifteen of each kind, mixed: capitals, sums to 18, a number and a name to be read off a sentence. The same seed gives
the same file.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from experiments.kept import parsed

FILE = Path(__file__).with_name("easy.jsonl")

Kind = Literal["capital", "sum", "read", "who"]

EACH = 15
"""Problems of each kind."""

_CAPITALS = {
    "Poland": "Warsaw",
    "Hungary": "Budapest",
    "Finland": "Helsinki",
    "Sweden": "Stockholm",
    "Denmark": "Copenhagen",
    "Belgium": "Brussels",
    "Kenya": "Nairobi",
    "Peru": "Lima",
    "Thailand": "Bangkok",
    "Vietnam": "Hanoi",
    "Iraq": "Baghdad",
    "Iran": "Tehran",
    "South Korea": "Seoul",
    "Scotland": "Edinburgh",
    "Romania": "Bucharest",
}
_PLACES = ("left", "right", "upper", "lower", "first", "second", "long", "short")
_NAMES = ("Mary", "John", "Peter", "Susan", "Mark", "Laura", "Adam", "Ruth", "Frank", "Clara", "Oscar", "Julia")
_WORK = ("teacher", "baker", "doctor", "farmer", "singer", "driver", "painter", "sailor")


@dataclass(frozen=True, slots=True)
class Easy:
    """One problem.

    Attributes:
        id: Kind and place.
        kind: What it asks for.
        problem: The question.
        answer: A number or a name.
    """

    id: str
    kind: Kind
    problem: str
    answer: str


_EASY = TypeAdapter(Easy)


def easy_problems(seed: int = 20) -> list[Easy]:
    """The sixty problems of a seed."""
    rng = random.Random(seed)
    drawn: list[tuple[Kind, str, str]] = []
    drawn += [("capital", f"What is the capital of {land}?", city) for land, city in _CAPITALS.items()]
    sums = [(a, b) for a in range(1, 10) for b in range(1, 10)]
    drawn += [("sum", f"What is {a} + {b}?", str(a + b)) for a, b in rng.sample(sums, EACH)]
    drawn += [_read(rng) for _ in range(EACH)]
    drawn += [_who(rng) for _ in range(EACH)]
    rng.shuffle(drawn)
    return [Easy(f"{kind}{i:02}", kind, problem, answer) for i, (kind, problem, answer) in enumerate(drawn)]


def _read(rng: random.Random) -> tuple[Kind, str, str]:
    places, counts = rng.sample(_PLACES, 2), rng.sample(range(2, 60), 2)
    asked = rng.randrange(2)
    told = " ".join(f"The {place} shelf has {n} books." for place, n in zip(places, counts, strict=True))
    return "read", f"{told} How many books does the {places[asked]} shelf have?", str(counts[asked])


def _who(rng: random.Random) -> tuple[Kind, str, str]:
    names, work = rng.sample(_NAMES, 2), rng.sample(_WORK, 2)
    asked = rng.randrange(2)
    told = " ".join(f"{name} is a {job}." for name, job in zip(names, work, strict=True))
    return "who", f"{told} What is the name of the {work[asked]}?", names[asked]


def read_problems(path: Path = FILE) -> list[Easy]:
    """The problems of the file, in its order.

    Raises:
        DataError: a line of it is none.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    mend = "python -m experiments.real.problems writes the file anew"
    return [parsed(line, _EASY, f"{path}, line {n}", mend) for n, line in enumerate(lines, start=1) if line]


def as_lines(problems: Sequence[Easy]) -> str:
    """The problems as the file has them."""
    return "".join(f"{json.dumps(asdict(problem))}\n" for problem in problems)


if __name__ == "__main__":
    FILE.write_text(as_lines(easy_problems()), encoding="utf-8")
