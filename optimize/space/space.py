"""What the search chooses from, and which choices fit the budget.

Every dimension is categorical and discrete, so that two trials can ask for the same point (which is then not paid
twice). What a draft may generate is a dimension of its own, whatever else is chosen: drafts of one prompt, cap and
temperature are the same drafts in every topology, under every distiller and kappa, and are paid for once. Choices
scale with the budget and the model's context. A choice that the budget can't hold is mended (first the cap, then the
workspace), never run over budget. Pure: no Optuna, no calls.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

from optimize.space.choices import KS, TEMPERATURES
from optimize.space.proposals import Proposals
from optimize.space.shapes import CHAIN_DISTILLERS, DISTILLERS, WHOLE, Choice, Params, build, parse_topology
from pdr_dspy.budget import Budget
from pdr_dspy.errors import BudgetError, InputError, WorkflowError
from pdr_dspy.prompts import catalogue
from pdr_dspy.workflow import Format, Instruction, Plan, Stage, Workflow, plan

BASELINES: dict[str, Params] = {
    "long_cot": {"topology": "1"},
    "sr": {"topology": "1-1-1-1", "chain_distiller": "previous"},
    "majority": {"topology": "8-vote"},
}
"""The baselines' own choices; besides, each has the whole budget, the largest workspace and the default prompts."""

USUAL_TEMPERATURE = 0.6
"""Where the search begins: what the makers of most open reasoning models advise (DeepSeek-R1's and Qwen3's cards)."""


ANCHORS = ("8-1", "16-4-1")
"""Topologies of plain PDR that every search begins with, the first one with longer drafts as well."""

PROPOSALS = "proposals"
"""Where a space's fingerprint has what was proposed."""

_WRITTEN: tuple[Stage, ...] = ("draft", "refine", "distill")
"""Stages that prompts are proposed for: those whose texts the answer is made of."""


class Ask(Protocol):
    """Where a choice comes from: an Optuna trial, a random source, a person."""

    def suggest_categorical(self, name: str, choices: Sequence[Choice]) -> Any:
        """One of the choices."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Choices that are already made; a dimension that is not among them gets its first choice."""

    params: Mapping[str, Choice] = field(default_factory=dict)

    def suggest_categorical(self, name: str, choices: Sequence[Choice]) -> Choice:
        """The choice made for `name`."""
        return self.params.get(name, choices[0])


@dataclass(frozen=True)
class Candidate:
    """A point of the space: what was chosen, the workflow it means and its plan.

    `unusual` is the format of its prompts where that is not the one the search begins with, else "".
    """

    params: Params
    workflow: Workflow
    plan: Plan
    unusual: str = ""

    @property
    def key(self) -> str:
        """Equal for candidates that make the same calls, however they were chosen."""
        rounds = tuple(r.model_copy(update={"thinking": None, "answer": None}) for r in self.workflow.rounds)
        same = self.workflow.model_copy(update={"name": "same", "rounds": rounds})  # the plan has the caps
        return hashlib.sha256(f"{same.model_dump_json()}{self.plan.steps}".encode()).hexdigest()


@dataclass(frozen=True)
class Space:
    """The dimensions of one search.

    Attributes:
        budget: What one problem may cost.
        context: The model's length in tokens, where known.
        topologies: Labels such as `16-4-1` or `8-vote`.
        kappas: Workspace bounds in tokens.
        caps: What a draft may generate, in tokens; `WHOLE` first, then falling.
        prompts: Ids of the catalogue by stage.
        proposals: Instructions that were written for this search; choices beside the catalogue's.
        formats: Formats of the prompts, the one that the search begins with first; none: what the model's card or the
            library has it.
    """

    budget: Budget
    context: int | None
    topologies: tuple[str, ...]
    kappas: tuple[int, ...]
    caps: tuple[int, ...]
    distillers: tuple[str, ...] = DISTILLERS
    chain_distillers: tuple[str, ...] = CHAIN_DISTILLERS
    ks: tuple[int, ...] = KS
    temperatures: tuple[float, ...] = TEMPERATURES
    prompts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    proposals: Proposals | None = None
    formats: tuple[Format, ...] = ()

    @property
    def proposed(self) -> Mapping[str, tuple[Instruction, ...]]:
        """The proposals by stage."""
        return dict(self.proposals.instructions) if self.proposals else {}

    def dimensions(self) -> dict[str, tuple[Choice, ...]]:
        """Every dimension with its choices, in the order they are asked for."""
        proposed = self.proposed
        return {
            "topology": self.topologies,
            "distiller": self.distillers,
            "chain_distiller": self.chain_distillers,
            "k": self.ks,
            "kappa": self.kappas,
            "cap": self.caps,
            "temperature": self.temperatures,
            **({"format": self.formats} if self.formats else {}),
            **{f"prompt_{stage}": (*ids, *(own.id for own in proposed.get(stage, ()))) for stage, ids in self.prompts},
        }

    def suggest(self, ask: Ask) -> Candidate:
        """Ask for every dimension that matters, and make the candidate."""
        choices = self.dimensions()
        params: Params = {}

        def choose(name: str) -> None:
            params[name] = ask.suggest_categorical(name, choices[name])

        choose("topology")
        widths, close = parse_topology(str(params["topology"]))
        if len(widths) > 1:
            chain = max(widths) == 1
            choose("chain_distiller" if chain else "distiller")
            choose("kappa")
            choose("prompt_refine")
        distiller = params.get("distiller", params.get("chain_distiller", ""))
        if distiller in ("top", "top_each", "random"):
            choose("k")
        for stage, needed in (
            ("distill", distiller == "summary"),
            ("pick", distiller in ("top", "top_each") or close == "pick"),
            ("analyse", distiller == "analysis"),
        ):
            if needed:
                choose(f"prompt_{stage}")
        for name in ("cap", "temperature", *(["format"] if self.formats else []), "prompt_draft"):
            choose(name)
        return self.candidate(params)

    def candidate(self, params: Mapping[str, Choice]) -> Candidate:
        """The candidate of given choices, mended so that it fits the budget.

        Where it does not fit as chosen, the next smaller cap that does is taken (`WHOLE` is the largest, and after the
        smallest what the budget leaves in equal parts), then a smaller workspace.

        Raises:
            BudgetError, WorkflowError: nothing fits.
        """
        wanted = int(params["cap"])
        kappa = int(params.get("kappa", self.kappas[0]))
        smaller = [c for c in self.caps if c != WHOLE and (wanted == WHOLE or c <= wanted)]
        allowed = [WHOLE, *smaller] if wanted == WHOLE else [*smaller, WHOLE]
        failed: InputError | None = None
        unusual = str(params["format"]) if params.get("format", "") not in ("", *self.formats[:1]) else ""
        own = {(stage, text.id): text for stage, texts in self.proposed.items() for text in texts}
        for bound in [k for k in reversed(self.kappas) if k <= kappa] or [self.kappas[0]]:
            for cap in allowed:
                workflow = build(params, cap=cap, kappa=bound, own=own)
                try:
                    made = plan(workflow, self.budget, context=self.context)
                    return Candidate(dict(params), workflow, made, unusual)
                except (BudgetError, WorkflowError) as error:
                    failed = failed or error
        assert failed is not None
        raise failed

    def baseline(self, name: str) -> Candidate:
        """A baseline at the whole budget."""
        whole: Params = {"cap": WHOLE, "kappa": self.kappas[-1], "temperature": self._usual_temperature()}
        return self.suggest(Fixed({**whole, **BASELINES[name]}))

    def baselines(self) -> dict[str, Candidate]:
        """Those baselines whose topology is in the space."""
        return {name: self.baseline(name) for name in BASELINES if BASELINES[name]["topology"] in self.topologies}

    def starters(self) -> dict[str, Candidate]:
        """What is measured first: the baselines, then plain PDR where it is likely to be good (at two caps of its
        drafts, the paper's own dial between accuracy and latency), and with each set of proposed prompts."""
        first, *others = ANCHORS
        parts = {f"pdr-{first}": (first, 4), f"pdr-{first}-longer": (first, 2)}
        parts |= {f"pdr-{label}": (label, 4) for label in others}
        anchors = {n: self.plain(label, part=part) for n, (label, part) in parts.items() if label in self.topologies}
        sets = max((len(texts) for texts in self.proposed.values()), default=0)
        proposed = {f"proposed-{n + 1}": self.plain(self._fullest(), self._set(n)) for n in range(sets)}
        return {**self.baselines(), **anchors, **proposed}

    def plain(self, label: str, prompts: Mapping[str, Choice] = MappingProxyType({}), part: int = 4) -> Candidate:
        """A topology as PDR has it: with a summary where drafts are parallel, a middle kappa, and moderate drafts.

        Those have about an eighth of the context, as a rule (or a quarter of the budget, where that is less), so that
        they are neither cut short nor crowd each other out of the next prompt.

        Args:
            label: The topology.
            prompts: Ids by dimension (`prompt_draft`); else the default ones.
            part: Drafts may generate one in so many of the budget's tokens, or of half the context's.
        """
        tokens = self.budget.tokens or 0
        usable = tokens if self.context is None else min(tokens, self.context // 2)
        cap = min(self.caps, key=lambda c: abs(c - usable / part))
        middle = self.kappas[len(self.kappas) // 2]
        plain: Params = {"cap": cap, "kappa": middle, "temperature": self._usual_temperature()}
        return self.suggest(Fixed({**plain, "topology": label, "distiller": "summary", **prompts}))

    def for_proposals(self) -> tuple[Candidate, tuple[Stage, ...]]:
        """The workflow that proposers learn from (one that the search begins with, where it can be), and its stages."""
        tried = self.plain(self._fullest())
        return tried, _written(tried.plan)

    def _fullest(self) -> str:
        """An anchor, or the topology with the most stages that prompts are written for, and the fewest calls."""
        here = [label for label in ANCHORS if label in self.topologies]
        plans = {label: self.plain(label).plan for label in here[:1] or self.topologies}
        return max(plans, key=lambda label: (len(_written(plans[label])), -plans[label].calls))

    def _set(self, n: int) -> dict[str, Choice]:
        """The n-th proposal (from 0) of each stage that has so many."""
        return {f"prompt_{stage}": texts[n].id for stage, texts in self.proposed.items() if n < len(texts)}

    def _usual_temperature(self) -> float:
        return min(self.temperatures, key=lambda t: abs(t - USUAL_TEMPERATURE))

    def fingerprint(self) -> dict[str, Any]:
        """The dimensions as plain data, the prompts with a hash of their texts, proposals with the texts."""
        plain: dict[str, Any] = {name: list(choices) for name, choices in self.dimensions().items()}
        for stage, ids in self.prompts:
            texts = catalogue(stage)
            plain[f"prompt_{stage}"] = {i: hashlib.sha256(texts[i].strip().encode()).hexdigest()[:12] for i in ids}
        return {**plain, PROPOSALS: self.proposals.as_dict()} if self.proposals else plain


def _written(made: Plan) -> tuple[Stage, ...]:
    there = {step.stage for step in made.steps}
    return tuple(stage for stage in _WRITTEN if stage in there)
