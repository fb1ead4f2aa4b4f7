"""The declaration of a workflow: rounds of drafts, what is distilled between them, how the last round closes.

Every strategy that spends more compute at test time on one problem is written in this grammar (long CoT, SR, PDR,
majority, best-of-N, RSA, PaCoRe, GenSelect, MoA); `programs/*.yaml` has one of each. Frozen and strict: an unknown key
or an impossible width is a WorkflowError (`parse_workflow` names the line; built in Python it names the field).
Pure data: knows nothing of YAML, DSPy, endpoints or budgets.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from pdr_dspy.workflow.closing import Close, Closing, Pick
from pdr_dspy.workflow.prompting import Prompts
from pdr_dspy.workflow.thinking import HelperThinking
from pdr_dspy.workflow.values import DRAFTS, MOST_TOKENS, TOKENS, Frozen, rule
from pdr_dspy.workspace import LEAST_PER_ANSWER, LEAST_PER_DRAFT, LEAST_WITH_ANALYSIS

MOST_DRAFTS = 4096
"""Drafts of a round at most: each is a request, and all of them are under way at once."""

MOST_ROUNDS = 256
"""Rounds at most."""


def _as_tuple(value: Any) -> Any:
    # YAML and Python callers write lists; everything else stays for the strict check to refuse.
    return tuple(value) if isinstance(value, list) else value


def _switch(value: Any) -> Any:
    # YAML reads a bare `on` or `off` as true or false.
    return ("on" if value else "off") if isinstance(value, bool) else value


Switch = Annotated[
    Literal["on", "off"],
    BeforeValidator(_switch),
    # As YAML 1.1 (this library) and as YAML 1.2 (most editors) reads it.
    WithJsonSchema({"enum": ["on", "off", True, False]}),
]
"""`on` or `off`, in YAML with quotes or without."""


KIND = "which distiller it is; always written"
KAPPA = "kappa: the most tokens the workspace may have"
THINKING = (
    "tokens the call may think before it answers, or off: it is told not to think; absent: as off, but a model that "
    "thinks whatever it is told gets what the budget leaves"
)


class Summary(Frozen):
    """Global summary (the paper's D^S): one call reads all drafts and writes one shared workspace."""

    kind: Literal["summary"] = Field(default="summary", description=KIND)
    tokens: int = Field(default=1024, ge=1, le=MOST_TOKENS, description=KAPPA, json_schema_extra=TOKENS)
    thinking: HelperThinking = Field(default=None, description=THINKING, json_schema_extra=TOKENS)


class Top(Frozen):
    """Extractive top-k (D^E): a call picks k drafts; they themselves are the workspace."""

    kind: Literal["top"] = Field(default="top", description=KIND)
    k: int = Field(default=2, ge=1, le=MOST_DRAFTS, description="drafts in a workspace", json_schema_extra=DRAFTS)
    shared: bool = Field(
        default=True, description="one pick for all next drafts; false: each next draft gets its own pick"
    )
    tokens: int = Field(default=4096, ge=1, le=MOST_TOKENS, description=KAPPA, json_schema_extra=TOKENS)
    thinking: HelperThinking = Field(default=None, description=THINKING, json_schema_extra=TOKENS)


class Random(Frozen):
    """Random-k (D^R): each next draft gets its own k drafts, drawn at random; no call."""

    kind: Literal["random"] = Field(default="random", description=KIND)
    k: int = Field(default=2, ge=1, le=MOST_DRAFTS, description="drafts in a workspace", json_schema_extra=DRAFTS)
    tokens: int = Field(default=4096, ge=1, le=MOST_TOKENS, description=KAPPA, json_schema_extra=TOKENS)


class Answers(Frozen):
    """The drafts' answers alone (PaCoRe's compaction); no call."""

    kind: Literal["answers"] = Field(default="answers", description=KIND)
    tokens: int = Field(default=1024, ge=1, le=MOST_TOKENS, description=KAPPA, json_schema_extra=TOKENS)


class Previous(Frozen):
    """Sequential Refinement: the workspace is the previous answer; no call."""

    kind: Literal["previous"] = Field(default="previous", description=KIND)
    tokens: int = Field(default=2048, ge=1, le=MOST_TOKENS, description=KAPPA, json_schema_extra=TOKENS)


class Analysis(Frozen):
    """Sequential Refinement with error analysis: a call lists the flaws of the previous answer, and both are read."""

    kind: Literal["analysis"] = Field(default="analysis", description=KIND)
    tokens: int = Field(default=2048, ge=1, le=MOST_TOKENS, description=KAPPA, json_schema_extra=TOKENS)
    thinking: HelperThinking = Field(default=None, description=THINKING, json_schema_extra=TOKENS)


Distill = Annotated[Summary | Top | Random | Answers | Previous | Analysis, Field(discriminator="kind")]
"""How a round's drafts become the next round's workspace."""


ModelName = Annotated[str, Field(min_length=1, pattern=r"^[!-~]+$")]


def _check_distill(distill: Distill, width: int, sure: int) -> None:
    """Whether a distiller can work on `width` drafts of which `sure` are waited for."""
    least = 1
    match distill:
        case Top(k=k) | Random(k=k):
            if k > sure:
                raise rule(("distill", "k"), f"{k} of {sure} drafts can't be had", f"Write at most k: {sure}")
            least = LEAST_PER_DRAFT * k
        case Answers():
            least = LEAST_PER_ANSWER * width
        case Previous() | Analysis():
            if width != 1:
                mend = "Write width: 1, or a distiller of several drafts (summary, top, random, answers)"
                raise rule(("distill", "kind"), f"{distill.kind!r} reads one draft, the round has {width}", mend)
            least = LEAST_WITH_ANALYSIS if distill.kind == "analysis" else 1
        case Summary():
            pass
    if distill.tokens < least:
        problem = f"{distill.tokens} tokens are too few for what this workspace must hold"
        raise rule(("distill", "tokens"), problem, f"Write at least tokens: {least}")


class Round(Frozen):
    """`width` drafts in parallel, each from the task and the workspace, then a distiller.

    `thinking` and `answer` are caps in tokens for each draft of the round; where they are absent the plan shares out
    the budget.
    """

    width: int = Field(ge=1, le=MOST_DRAFTS, description="drafts in parallel", json_schema_extra=DRAFTS)
    distill: Distill | None = Field(
        default=None,
        description="how the drafts become the next round's workspace; absent in the last round, and only there",
    )
    thinking: int | None = Field(
        default=None,
        ge=0,
        le=MOST_TOKENS,
        description="cap on a draft's thinking tokens; absent: a share of the budget",
        json_schema_extra=TOKENS,
    )
    answer: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TOKENS,
        description="cap on a draft's tokens after its thinking; absent: a share of the budget, 2048 at most",
        json_schema_extra=TOKENS,
    )
    quorum: int | None = Field(
        default=None,
        ge=1,
        description="go on when so many drafts have come (first 6 of 8), and cut the others off; at most the width; "
        "absent: wait for all",
        json_schema_extra=DRAFTS,
    )
    models: Annotated[tuple[ModelName, ...], Field(min_length=1), BeforeValidator(_as_tuple)] | None = Field(
        default=None,
        description="a model for each draft in turn (Mixture of Agents), at most as many as the width; it can be "
        "declared, but not be run yet",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for key, most in (("quorum", self.quorum), ("models", len(self.models or ()))):
            if most is not None and most > self.width:
                raise rule(
                    (key,), f"{most} is more than the round's width {self.width}", f"At most {self.width} can be"
                )
        if self.distill is not None:
            _check_distill(self.distill, self.width, self.quorum or self.width)
        return self


class Sampling(Frozen):
    """How drafts and refinements are sampled. Distill, pick and analyse calls use the same.

    What is not named is the language model's own (`dspy.LM(..., temperature=0.6)`), else the server's default, which
    vLLM takes from the model's `generation_config`. At temperature 0 the drafts of a round are all alike.
    """

    temperature: float | None = Field(
        default=None,
        ge=0.0,
        le=2.0,
        description="0: all drafts of a round are alike; absent: the LM's, or the server's",
    )
    top_p: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="probability mass that is sampled from; absent: the LM's, or the server's",
        json_schema_extra={"unit": "probability"},
    )


class Workflow(Frozen):
    """A strategy: its rounds, and how the last one closes.

    `close`: `single` (the last round has width 1 and its draft is the answer), `vote` (the majority answer of the last
    round) or `pick` (a call picks one draft of the last round; `{kind: pick, thinking: 512}` lets it think).

    `fallback`: where a call between the rounds, a whole round of refinements or the clock fails and drafts are there,
    the run goes on with what it has (a failed summary's text or the drafts' answers in its place, in the end a vote).
    `off`, for measurements: it fails.
    """

    name: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"^[.]*[A-Za-z0-9_\-][A-Za-z0-9_.\-]*$",
        description="what tables and reports call it: letters, digits and . _ -",
    )
    rounds: Annotated[tuple[Round, ...], Field(min_length=1, max_length=MOST_ROUNDS), BeforeValidator(_as_tuple)] = (
        Field(description="what is done, round after round; each before the last has a distiller")
    )
    close: Close = Field(
        default="single",
        description="how the last round closes: single (its one draft is the answer), vote (the answer most drafts "
        "give) or pick (a call picks one of the drafts)",
    )
    share: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="fraction of a tokens= budget that the path may use",
        json_schema_extra={"unit": "fraction"},
    )
    prompts: Prompts = Field(
        default=Prompts(), description="each stage's instruction, and the format all of them are asked in"
    )
    sampling: Sampling = Field(default=Sampling(), description="how calls are sampled")
    fallback: Switch = Field(
        default="on",
        description="on: where a call between rounds, a round of refinements or the clock fails, the run goes on with "
        "the drafts it has; off, for measurements: the problem fails",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        *earlier, last = self.rounds
        end = len(earlier)
        for i, r in enumerate(earlier):
            if r.distill is None:
                mend = "Write distill: {kind: summary} (or top, random, answers, previous, analysis)"
                raise rule(("rounds", i, "distill"), "a round before the last needs a distiller", mend)
        if last.distill is not None:
            problem = "the last round has no round after it to distil for"
            raise rule(("rounds", end, "distill"), problem, "Leave it out, or add a round {width: 1} below")
        if self.closing == "single" and last.width != 1:
            problem = f"the last round leaves {last.width} drafts and nothing chooses between them"
            mend = "Write width: 1, add a round {width: 1}, or close: vote or close: pick"
            raise rule(("rounds", end, "width"), problem, mend)
        if self.closing != "single" and last.width < 2:
            problem = f"close: {self.closing} needs at least 2 drafts in the last round"
            raise rule(("rounds", end, "width"), problem, "Write width: 2 or more, or leave out close")
        return self

    def __repr__(self) -> str:
        """A line, whatever texts it holds; `dump_workflow` writes all of it."""
        from pdr_dspy.workflow.describe import topology  # which describes what stands here

        return f"Workflow({self.name!r}, {topology(self)})"

    __str__ = __repr__

    @property
    def widths(self) -> tuple[int, ...]:
        """Drafts of each round."""
        return tuple(r.width for r in self.rounds)

    @property
    def answering(self) -> Literal["draft", "refine"]:
        """The stage that writes the answer: that of the last round."""
        return "refine" if len(self.rounds) > 1 else "draft"

    @property
    def closing(self) -> Closing:
        """How the last round closes, in a word."""
        return self.close.kind if isinstance(self.close, Pick) else self.close
