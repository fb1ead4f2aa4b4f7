"""What a configuration is made of: problem sets with their caps, and a part for each of the questions.

An unknown key, a name that nothing has, or a strategy that can't be run is an error that names the place.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from experiments.configuration import ConfigError, as_tuple
from pdr_dspy.errors import WorkflowError
from pdr_dspy.workflow import Workflow, build_workflow
from pdr_dspy.workflow.values import Frozen

Meter = Literal["seq_generated", "b_seq", "nominal_seq", "total_generated", "b_total", "nominal_total"]
"""A meter that strategies are matched on; see `pdr_dspy.ledger.Meters`."""


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
Names = Annotated[tuple[Name, ...], Field(min_length=1), BeforeValidator(as_tuple)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1), BeforeValidator(as_tuple)]


def _unknown(place: str, name: str, known: list[str]) -> ConfigError:
    return ConfigError(place, f"there is no {name!r}", f"Use one of {', '.join(known)}")


class Level(Frozen):
    """Caps in tokens of the calls whose round states none: of every draft, and of the last round's where they differ.

    Strategies run once at each level; `name` (8k) is added to theirs where there are several.
    """

    name: Name
    thinking: int = Field(ge=0)
    answer: int = Field(ge=1)
    last_thinking: int | None = Field(default=None, ge=0)
    last_answer: int | None = Field(default=None, ge=1)


class Usual(Frozen):
    """What a call generates when no cap ends it, as a mean in tokens: only for the estimate of `--dry-run`."""

    thinking: Count
    answer: Count
    distill: Count
    pick: Count
    analyse: Count


class ProblemSet(Frozen):
    """Problems, and the caps that suit them. `data` is a spec of `pdr_dspy.data.load_data`."""

    data: str = Field(min_length=1)
    levels: Annotated[tuple[Level, ...], Field(min_length=1), BeforeValidator(as_tuple)]
    usual: Usual
    samples: int = Field(default=1, ge=1, description="independent runs of each problem (mean@samples)")


class Rival(Frozen):
    """Whom strategies are compared with: the family's member that has the meter's value, or the next larger one."""

    family: Name
    meter: Meter


class Claim(Frozen):
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


class FrontierPart(Frozen):
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
                raise _unknown(f"frontier of {self.set}, rivals", rival.family, list(self.families))
        for claim in self.claims:
            for name in (claim.strategy, claim.against):
                if name is not None and name not in (*names, *self.families):
                    place = f"frontier of {self.set}, claim {claim.says!r}"
                    raise _unknown(place, name, [*self.families, *names])
        return self


class Distillers(Frozen):
    """Question 2: every distiller over `widths`, at every kappa (and k) that leaves room for what it must hold."""

    set: Name
    search: Count
    report: Count
    claims_on: int = Field(default=0, ge=0, description="report problems of the cells that are put in order")
    widths: Counts
    kappa: Counts
    k: Counts = (2, 4)


class Oracle(Frozen):
    """Question 3: one strategy under admission rules; `lines`: also rules for single lines (worksheets only)."""

    set: Name
    problems: Count
    strategy: Strategy
    lines: bool = False


class Compared(Frozen):
    """A strategy, and those it is set against: the one of them whose meter is its own or the next above it."""

    strategy: Name
    against: Names
    meter: Meter


class TrainingSet(Frozen):
    """Question 4 on one problem set: strategies measured with every checkpoint, and compared within each."""

    set: Name
    problems: Count
    claims_on: int = Field(default=0, ge=0, description="report problems of everything, where they are more")
    strategies: Strategies
    compared: Annotated[tuple[Compared, ...], BeforeValidator(as_tuple)] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        names = [w.name for w in self.strategies]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            place = f"training of {self.set}, strategies"
            raise ConfigError(place, f"{', '.join(twice)} names two things", "Give each strategy its own name")
        for pair in self.compared:
            for name in (pair.strategy, *pair.against):
                if name not in names:
                    raise _unknown(f"training of {self.set}, compared", name, names)
        return self


class Training(Frozen):
    """Question 4: checkpoints compared, on every one of these sets."""

    sets: Annotated[tuple[TrainingSet, ...], Field(min_length=1), BeforeValidator(as_tuple)]

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [part.set for part in self.sets]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise ConfigError(f"training.sets[{i}].set", f"{name} stands there already", "Make one of the two")
        return self
