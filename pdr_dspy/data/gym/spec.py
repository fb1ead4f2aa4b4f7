"""Which task is meant, and how it is made: `gym:NAME:size=100,seed=3,min_terms=2`. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from pdr_dspy.errors import DataError

LEFT_OUT = {
    "game_of_life_halting": "its verifier takes any answer for right",
    "prime_factorization": "its verifier fails on words",
    "boxnet": "its verifier does not take its own reference for right",
    "graph_color": "its verifier does not take its own reference for right",
    "propositional_logic": "its verifier does not take its own reference for right",
    "rubiks_cube": "its verifier does not take its own reference for right",
    "rush_hour": "its verifier does not take its own reference for right",
}
"""Tasks that can't be graded (reasoning-gym 0.1.25), and why."""

_FORM = re.compile(r"(?P<name>[A-Za-z]\w*)(?::(?P<options>.*))?", re.DOTALL)
_MEND = "Write gym:NAME or gym:NAME:size=200,seed=0,OPTION=VALUE (the options are the task's own)."


@dataclass(frozen=True)
class GymSpec:
    """A task and its options.

    Attributes:
        name: As reasoning-gym registers it.
        size: How many problems.
        seed: Of the generator.
        options: The task's own.
    """

    name: str
    size: int = 200
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> GymSpec:
        """From what stands after `gym:`.

        Raises:
            DataError: it has another form, or names a task that can't be graded.
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise DataError("data", f"{'gym:' + text!r} names no task", _MEND)
        name = match["name"]
        if name in LEFT_OUT:
            raise DataError("data", f"gym:{name} can't be graded: {LEFT_OUT[name]}", "Take another task.")
        options: dict[str, Any] = {}
        for part in re.split(r",(?=\s*[A-Za-z_]\w*\s*=)", match["options"]) if match["options"] else []:
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not value or not key.isidentifier() or key in options:
                raise DataError("data", f"gym:{name} has no option {part!r}, or has it twice", _MEND)
            options[key] = _value(value)
        numbers = {}
        for key, least, usual in (("size", 1, cls.size), ("seed", 0, cls.seed)):
            number = options.pop(key, usual)
            if not isinstance(number, int) or isinstance(number, bool) or not least <= number < 10**8:
                raise DataError("data", f"gym:{name}: {key} is {number!r}, no number from {least}", _MEND)
            numbers[key] = number
        return cls(name, numbers["size"], numbers["seed"], options)

    def __str__(self) -> str:
        options = {"size": self.size, "seed": self.seed, **dict(sorted(self.options.items()))}
        return f"gym:{self.name}:" + ",".join(f"{key}={json.dumps(value)}" for key, value in options.items())


def _value(text: str) -> Any:
    lower = {"True": "true", "False": "false", "None": "null"}.get(text, text)
    try:
        return json.loads(lower)
    except ValueError:
        return text
