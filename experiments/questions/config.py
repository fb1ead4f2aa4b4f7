"""What is measured, as a YAML file says it: problems, caps, strategies, counts and claims, for each of the questions.

Frozen and strict: an unknown key or a strategy that can't be run is an error that names the place. `configs/` has one
file for the embedded reasoner and two with the paper's own settings. Knows nothing of endpoints and of measuring.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from experiments.configuration import ConfigError, as_tuple, find, known_in, parse
from experiments.questions.parts import (
    Distillers,
    FrontierPart,
    Name,
    Oracle,
    ProblemSet,
    Training,
    TrainingSet,
)
from optimize.study.state import slug
from pdr_dspy.workflow import Sampling
from pdr_dspy.workflow.values import Frozen

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
"""Where the configurations that have a name are."""

Part = FrontierPart | Distillers | Oracle | TrainingSet
P = TypeVar("P", FrontierPart, Distillers, Oracle, TrainingSet)


class Config(Frozen):
    """All of it. `needs_endpoint`: the settings make no sense on the embedded reasoner."""

    name: Name
    about: str = Field(min_length=1)
    needs_endpoint: bool = False
    load: int = Field(default=32, ge=1, description="requests kept in flight")
    seed: int = Field(default=0, ge=0)
    sampling: Sampling = Sampling()
    sets: dict[Name, ProblemSet] = Field(min_length=1)
    frontier: Annotated[tuple[FrontierPart, ...], Field(min_length=1), BeforeValidator(as_tuple)]
    distillers: Distillers
    oracle: Oracle
    training: Training

    @model_validator(mode="after")
    def _sets_exist(self) -> Self:
        asked = [("frontier", part.set) for part in self.frontier]
        asked += [("distillers", self.distillers.set), ("oracle", self.oracle.set)]
        asked += [(f"training.sets[{i}]", part.set) for i, part in enumerate(self.training.sets)]
        for place, name in asked:
            if name not in self.sets:
                mend = f"Use one of {', '.join(self.sets)}"
                raise ConfigError(f"{place}.set", f"there is no set {name!r}", mend)
        return self

    def capped(self, problems: int) -> Config:
        """The same with at most `problems` problems in every count (for trying things out)."""

        def cap(part: Part) -> dict[str, int]:
            names = ("search", "report", "claims_on", "problems")
            return {n: min(problems, getattr(part, n)) for n in names if hasattr(part, n)}

        return self._each(cap)

    def claiming_on(self, problems: int) -> Config:
        """The same with claims checked, distillers put in order, and checkpoints compared, on so many problems."""

        return self._each(lambda part: {"claims_on": problems} if getattr(part, "claims_on", 0) else {})

    def on(self, data: str) -> Config:
        """The same on other problems: they take the place of the first set, and what asks about other sets goes."""
        first = next(iter(self.sets))
        name = slug(data)

        kept = self.model_copy(
            update={
                "sets": {name: self.sets[first].model_copy(update={"data": data})},
                "frontier": _about(first, self.frontier),
                "oracle": self.oracle.model_copy(update={"lines": False}),
                "training": Training(sets=_about(first, self.training.sets)),
            }
        )
        return kept._each(lambda part: {"set": name})

    def _each(self, change: Callable[[Part], dict[str, Any]]) -> Config:
        """The same with `change` of every part of every question."""

        def changed(part: P) -> P:
            return part.model_copy(update=change(part))

        return self.model_copy(
            update={
                "frontier": tuple(changed(part) for part in self.frontier),
                "distillers": changed(self.distillers),
                "oracle": changed(self.oracle),
                "training": Training(sets=tuple(changed(part) for part in self.training.sets)),
            }
        )


def _about(name: str, parts: tuple[P, ...]) -> tuple[P, ...]:
    return tuple(part for part in parts if part.set == name) or parts[:1]


def known_configs() -> list[str]:
    """Names of the configurations that come along."""
    return known_in(CONFIGS)


def load_config(name: str) -> Config:
    """Read a configuration by its name, or from a YAML file.

    Raises:
        ConfigError: there is none, or it can't be run as it says; names the file, the place and the mend.
    """
    return parse_config(*find(name, CONFIGS))


def parse_config(text: str, source: str) -> Config:
    """A configuration from YAML text.

    Raises:
        ConfigError: it is no YAML, or can't be run as it says.
    """
    return parse(Config, text, source, "experiments/configs/embedded.yaml")
