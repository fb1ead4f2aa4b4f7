"""What is measured, as a YAML file says it: problems, caps, strategies, counts and claims, for each of the questions.

Frozen and strict: an unknown key or a strategy that can't be run is an error that names the place. `configs/` has one
file for the embedded reasoner and two with the paper's own settings. Knows nothing of endpoints and of measuring.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from experiments.configuration import ConfigError, as_tuple, find, known_in, parse
from optimize.studies.state import slug
from pdr_dspy.errors import WorkflowError
from pdr_dspy.workflow import Sampling, Workflow, build_workflow

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
"""Where the configurations that have a name are."""

Meter = Literal["seq_generated", "b_seq", "nominal_seq", "total_generated", "b_total", "nominal_total"]
"""A meter that strategies are matched on; see `pdr_dspy.ledger.Meters`."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _workflow(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        return build_workflow(value)
    except WorkflowError as error:
        raise ConfigError(f"strategy {value.get('name', '?')!r}, {error.field}", error.problem, error.mend) from None


Name = Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z0-9_.\-]+$")]
Count = Annotated[int, Field(ge=1)]
Strategy = Annotated[Workflow, BeforeValidator(_workflow)]
Strategies = Annotated[tuple[Strategy, ...], Field(min_length=1), BeforeValidator(as_tuple)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1), BeforeValidator(as_tuple)]


class Level(_Frozen):
    """Caps in tokens of the calls whose round states none: of every draft, and of the last round's where they differ.

    Strategies run once at each level; `name` (8k) is added to theirs where there are several.
    """

    name: Name
    thinking: int = Field(ge=0)
    answer: int = Field(ge=1)
    last_thinking: int | None = Field(default=None, ge=0)
    last_answer: int | None = Field(default=None, ge=1)


class Usual(_Frozen):
    """What a call generates when no cap ends it, as a mean in tokens: only for the estimate of `--dry-run`."""

    thinking: Count
    answer: Count
    distill: Count
    pick: Count
    analyse: Count


class ProblemSet(_Frozen):
    """Problems, and the caps that suit them. `data` is a spec of `pdr_dspy.data.load_data`."""

    data: str = Field(min_length=1)
    levels: Annotated[tuple[Level, ...], Field(min_length=1), BeforeValidator(as_tuple)]
    usual: Usual
    samples: int = Field(default=1, ge=1, description="independent runs of each problem (mean@samples)")


class Rival(_Frozen):
    """Whom strategies are compared with: the family's member that has the meter's value, or the next larger one."""

    family: Name
    meter: Meter


class Claim(_Frozen):
    """Something to be checked on `claims` problems of the report split.

    `strategy` and `against` are strategies or families. A family of `strategy` stands for its best member on the search
    split; a family of `against` for the member matched on `meter` there, or for its best one where there is no meter.
    Without `against` the accuracy itself is to lie between `least` and `most` (in %); with it, the difference (in
    points) is to be at least `least`.
    """

    says: str = Field(min_length=1)
    strategy: Name
    against: Name | None = None
    meter: Meter | None = None
    least: float | None = None
    most: float | None = None


class FrontierPart(_Frozen):
    """Question 1 on one problem set."""

    set: Name
    search: Count
    report: Count
    claims_on: int = Field(default=0, ge=0, description="report problems of the strategies that claims name")
    families: dict[Name, Strategies]
    rivals: Annotated[tuple[Rival, ...], BeforeValidator(as_tuple)] = ()
    claims: Annotated[tuple[Claim, ...], BeforeValidator(as_tuple)] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [w.name for members in self.families.values() for w in members]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice or set(names) & set(self.families):
            shown = ", ".join(twice) or ", ".join(sorted(set(names) & set(self.families)))
            raise ConfigError(
                f"frontier of {self.set}, families", f"{shown} names two things", "Give each strategy its own name"
            )
        for rival in self.rivals:
            if rival.family not in self.families:
                raise self._unknown("rivals", rival.family, list(self.families))
        for claim in self.claims:
            for name in (claim.strategy, claim.against):
                if name is not None and name not in (*names, *self.families):
                    raise self._unknown(f"claim {claim.says!r}", name, [*self.families, *names])
        return self

    def _unknown(self, where: str, name: str, known: list[str]) -> ConfigError:
        return ConfigError(
            f"frontier of {self.set}, {where}", f"there is no {name!r}", f"Use one of {', '.join(known)}"
        )


class Distillers(_Frozen):
    """Question 2: every distiller over `widths`, at every kappa (and k) that leaves room for what it must hold."""

    set: Name
    search: Count
    report: Count
    claims_on: int = Field(default=0, ge=0, description="report problems of the cells that are put in order")
    widths: Counts
    kappa: Counts
    k: Counts = (2, 4)


class Oracle(_Frozen):
    """Question 3: one strategy under admission rules; `lines`: also rules for single lines (worksheets only)."""

    set: Name
    problems: Count
    strategy: Strategy
    lines: bool = False


class Training(_Frozen):
    """Question 4: strategies measured with two checkpoints."""

    set: Name
    problems: Count
    strategies: Strategies


class Config(_Frozen):
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
        asked += [("distillers", self.distillers.set), ("oracle", self.oracle.set), ("training", self.training.set)]
        for question, name in asked:
            if name not in self.sets:
                mend = f"Use one of {', '.join(self.sets)}"
                raise ConfigError(f"{question}.set", f"there is no set {name!r}", mend)
        return self

    def capped(self, problems: int) -> Config:
        """The same with at most `problems` problems in every count (for trying things out)."""

        def cap(part: _Frozen) -> _Frozen:
            names = ("search", "report", "claims_on", "problems")
            return part.model_copy(update={n: min(problems, getattr(part, n)) for n in names if hasattr(part, n)})

        return self.model_copy(
            update={
                "frontier": tuple(cap(part) for part in self.frontier),
                **{name: cap(getattr(self, name)) for name in ("distillers", "oracle", "training")},
            }
        )

    def claiming_on(self, problems: int) -> Config:
        """The same with claims checked, and distillers put in order, on so many problems."""

        def more(part: _Frozen) -> _Frozen:
            return part.model_copy(update={"claims_on": problems}) if getattr(part, "claims_on", 0) else part

        return self.model_copy(
            update={"frontier": tuple(more(part) for part in self.frontier), "distillers": more(self.distillers)}
        )

    def on(self, data: str) -> Config:
        """The same on other problems: they take the place of the first set, and what asks about other sets goes."""
        first = next(iter(self.sets))
        name = slug(data)
        keep = tuple(part for part in self.frontier if part.set == first) or self.frontier[:1]
        oracle = self.oracle.model_copy(update={"set": name, "lines": False})
        return self.model_copy(
            update={
                "sets": {name: self.sets[first].model_copy(update={"data": data})},
                "frontier": tuple(part.model_copy(update={"set": name}) for part in keep),
                "distillers": self.distillers.model_copy(update={"set": name}),
                "oracle": oracle,
                "training": self.training.model_copy(update={"set": name}),
            }
        )


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
