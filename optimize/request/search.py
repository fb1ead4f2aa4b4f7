"""What a search is asked, as one value: made by the command line, by a YAML file, or in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from optimize.objectives.limits import Limits, duration, parse_limits
from optimize.request.measure import MeasureRequest, named
from optimize.request.proposing import ProposalRequest, proposal_request
from optimize.request.sizes import EMBEDDED, SERVED, Sizes
from optimize.request.spend import parse_spend
from optimize.study.state import default_name, study_name
from pdr_dspy.data_options import wording
from pdr_dspy.endpoint import Identity


def _seconds(value: Any) -> Any:
    return value if value is None else duration(str(value))


def _tokens(value: Any) -> Any:
    return value if value is None else parse_spend(value if isinstance(value, str) else f"tokens={value}")


def _labels(value: Any) -> Any:
    if isinstance(value, int):
        value = str(value)
    return tuple(value.split(",")) if isinstance(value, str) else tuple(map(str, value)) if value else None


class SearchRequest(MeasureRequest):
    """A search for the best accuracy-latency trade-off at a budget.

    Every field is an option of `optimize/search.py` by the same name (with `_` for `-`), and takes what the option
    takes, or the value that is meant: `SearchRequest(budget="tokens=16k", timeout="10m", load=[1, 8, 32])`.

    Raises:
        InputError: an option out of range, one that is none, or one that needs another.
    """

    trials: int | None = Field(None, ge=1, description="a number of workflows")
    timeout: Annotated[float | None, BeforeValidator(_seconds)] = Field(None, description="a time: 90, 10m or 2h")
    spend: Annotated[int | None, BeforeValidator(_tokens)] = Field(None, description="generated tokens: tokens=50m")
    problems: int | None = Field(None, ge=1, description="a number of problems")
    report_problems: int | None = Field(None, ge=1, description="a number of problems")
    front: int | None = Field(None, ge=1, description="a number of workflows")
    max_latency: float | None = Field(None, description="a time such as 20s; with latency in tokens 900 or 4k")
    min_accuracy: float | None = Field(None, description="a share: 0.6 or 60%")
    topologies: Annotated[tuple[str, ...] | None, BeforeValidator(_labels)] = Field(
        None, description="topologies, separated by commas: 1,8-1,8-vote"
    )
    propose: int = Field(0, description="a number of instructions a stage, from 0 to 16")
    proposer: str | None = Field(None, description="an address and a model: http://host:8000/v1#Qwen/Qwen3-32B")
    jobs: int = Field(2, ge=1, description="trials at once")
    racing: bool = Field(True, description="true or false")
    study: Annotated[str | None, BeforeValidator(named)] = Field(None, description="a name")
    storage: str | None = Field(None, description="an Optuna storage: postgresql://user@host/name")
    dry_run: bool = Field(False, description="true or false")

    @field_validator("max_latency", "min_accuracy", mode="before")
    @classmethod
    def _limit(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None or "objectives" not in info.data:
            return None
        text = {str(info.field_name): str(value)}
        limits = parse_limits(text.get("max_latency"), text.get("min_accuracy"), info.data["objectives"])
        return limits.max_latency if info.field_name == "max_latency" else limits.min_accuracy

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        _ = self.proposals, self.name
        return self

    @property
    def limits(self) -> Limits:
        """What no member of the front may be beyond."""
        return Limits(self.max_latency, self.min_accuracy)

    @property
    def proposals(self) -> ProposalRequest | None:
        """The instructions to be written before the search; None without any."""
        return proposal_request(self.propose, self.proposer, served=bool(self.endpoint))

    @property
    def sizes(self) -> Sizes:
        """How much is done, what was not said by the usual for this kind of model."""
        names = ("trials", "problems", "report_problems", "front", "timeout")
        given = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(SERVED if self.endpoint else EMBEDDED, **given)

    @property
    def name(self) -> str:
        """The study's name: as given, or made of budget, data and model."""
        kind = "served" if self.endpoint else "embedded"
        return study_name(self.study or default_name(str(self.budget), self.data, self.model or kind))

    def fingerprint(
        self, *, data: Mapping[str, Any], model: Identity, load: int, space: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What must stay the same for a study to go on, as plain JSON data.

        Args:
            data: The problems that the search sees: how many, their contents, their grader, how they were cut.
            model: Who is asked.
            load: Requests in flight of the search.
            space: What it chooses from.
        """
        return {
            "budget": str(self.budget),
            "data": {"spec": self.data, **data, **wording(self)},
            "samples": self.samples,
            "model": {"name": model.model, "revision": model.revision, "context": model.context},
            "load": load,
            "replicas": len(self.endpoint or [""]),
            "thinking": self.thinking,
            "latency": self.latency,
            "limits": asdict(self.limits),
            "seed": self.seed,
            "space": space,
        }
