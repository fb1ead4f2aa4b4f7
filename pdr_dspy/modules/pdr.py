"""`PDR(signature, workflow)`: any workflow as a `dspy.Module`, a drop-in for `dspy.ChainOfThought(signature)`.

Its predictors are plain `dspy.Predict`s over signatures derived from the user's, so `named_predictors`, `save`/`load`
and DSPy's optimisers work on it as on any program.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import dspy
from dspy.adapters.base import Adapter

from pdr_dspy.answers import Equal
from pdr_dspy.budget import Spend
from pdr_dspy.calls import current_tag
from pdr_dspy.endpoint import Recommended, connected, endpoint_of
from pdr_dspy.formats import DEFAULT, PlainAdapter, adapter
from pdr_dspy.ledger import open_ledger
from pdr_dspy.modules import streaming
from pdr_dspy.modules.advice import advised, configured
from pdr_dspy.modules.ask import CallContext
from pdr_dspy.modules.asked import Asked, asked, check_names
from pdr_dspy.modules.beside import shown_to
from pdr_dspy.modules.declared import Declared
from pdr_dspy.modules.declared_module import DeclaredModule
from pdr_dspy.modules.given import (
    GivenBudget,
    GivenWorkflow,
    given_budget,
    given_code,
    given_seed,
    given_signature,
    given_workflow,
)
from pdr_dspy.modules.older import complete_what_dspy_loads
from pdr_dspy.modules.plain_lm import say_what_is_lost, tokenizer_of
from pdr_dspy.modules.prediction import PDRPrediction
from pdr_dspy.modules.records import RunRecord
from pdr_dspy.modules.run import Admit, Run, run_tag
from pdr_dspy.modules.seeds import run_seed
from pdr_dspy.modules.signatures import own_field
from pdr_dspy.modules.tracing import Entry, agreeing, is_traced
from pdr_dspy.modules.usage import reported_usage
from pdr_dspy.modules.votes import make_ballot, voted_fields
from pdr_dspy.workflow import DEFAULT_PRESET

complete_what_dspy_loads()


class PDR(DeclaredModule):
    """Parallel-Distill-Refine, or any other declared workflow, over a signature of yours.

    Args:
        signature: Any DSPy signature, as class or text: several inputs, typed and pydantic outputs.
        workflow: A preset's name (`pdr_dspy.preset_names()`), the path of a YAML file, a `Workflow`, or a mapping as
            the YAML has it. Default: `pdr_small`, 8 drafts, one summary of them, one refinement.
        budget: What one problem may cost: a number of tokens along the accepted path, a text
            (`"tokens=16k,total=400k,seconds=30"`) or a `Budget`; None: the workflow's own caps.
        seed: Seed of all sampling. The same seed gives the same drafts of the same problem; other problems are sampled
            apart.
        admit: For experiments (an oracle): which of a round's drafts its distiller may read; where it lets none in,
            the next round reads an empty workspace. Code, so neither part of the workflow nor saved with the program.
        equal: When two answers are the same one, for votes: `equal(first, second)`, sync or async, is given two values
            of a field that is voted on. Default: `pdr_dspy.answers.equal_answers`, by what the answers say (`1/2` is
            `\\frac12` and `0.5`, `(B)` is `B`); while the program is evaluated on a data set, its grader's. An
            equality that raises or takes longer than a minute counts as unequal. Code, so not saved.
        vote_on: Output field or fields that are voted on. Default: `answer`, or the only field, or those that are not
            free text (see `pdr_dspy.modules.votes.voted_fields`).

    Called with the signature's inputs, and as DSPy's predictors with `lm=` (for all calls of this one), `config=`
    (sampling, before the workflow's; `rollout_id`, `seed`) and `demos=[]` (none are shown). `dspy.streamify` works.

    Where a helper call, a round of refinements or the clock fails and drafts are there, the answer is made of them
    (`RunRecord.fallbacks` says how), unless the workflow says `fallback: off`.

    The prediction has `reasoning` (the written solution of the accepted draft, as `dspy.ChainOfThought` names it) and
    the signature's output fields, and beside its fields `run`, a `RunRecord`: drafts, workspaces, failures, ledger and
    meters. Where the signature has fields of these names itself, ours are `pdr_reasoning`, `pdr_run`.

    Raises:
        SignatureError: the signature is none.
        WorkflowError, BudgetError: the workflow can't be run as declared, or not within the budget. When the module is
            made where that can be known, before the first call otherwise (the model's context is needed).
        WorkflowFailed: from a call: no draft came at all, or with `fallback: off` a step had nothing to go on with; it
            carries the cause and the record until then.
        InputError: from a call, before anything is sent: an input is missing, or an option has no place in a run.
        EndpointError: from a call: the endpoint as a whole can't be used.
    """

    def __init__(
        self,
        signature: str | type[dspy.Signature],
        workflow: GivenWorkflow = DEFAULT_PRESET,
        *,
        budget: GivenBudget = None,
        seed: int = 0,
        admit: Admit | None = None,
        equal: Equal | None = None,
        vote_on: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.signature = given_signature(signature)
        declared = Declared(self.signature)
        declared.workflow = given_workflow(workflow)
        declared.budget = given_budget(budget)
        declared.seed = given_seed(seed)
        self.admit = given_code("admit", admit)
        self.equal = given_code("equal", equal)
        check_names(self.signature)
        declared.vote_on = voted_fields(self.signature, vote_on)
        self.declare(declared)

    def forward(self, *positional: Any, **inputs: Any) -> dspy.Prediction:
        """Solve one problem; see the class."""
        return streaming.run(self._solve(asked(self.signature, inputs, positional)))

    async def aforward(self, *positional: Any, **inputs: Any) -> dspy.Prediction:
        """Solve one problem; see the class."""
        return await streaming.on_loop(self._solve(asked(self.signature, inputs, positional)))

    @property
    def answering(self) -> dspy.Predict:
        """The predictor whose answer is the program's, for a `StreamListener`: `refine`, or `draft` in one round."""
        predictor: dspy.Predict = getattr(self, self.workflow.answering)
        return predictor

    def __repr__(self) -> str:
        fields = f"{', '.join(self.declared.inputs)} -> {', '.join(self.declared.outputs)}"
        return f"{type(self).__name__}({fields}; {self.declared.in_words()})"

    def _adapter(self, recommended: Recommended) -> Adapter:
        """The workflow's format; else the adapter of `dspy.configure`, what the model's card recommends, the usual."""
        named, theirs = self.workflow.prompts.format, configured()
        return theirs if named is None and theirs is not None else adapter(named or recommended.format or DEFAULT)

    async def _solve(self, call: Asked) -> dspy.Prediction:
        stages = self.declared.stages
        predictors: dict[str, dspy.Predict] = {stage: getattr(self, stage) for stage in stages}
        advice, traced = advised(predictors), is_traced()
        own = [call.lm or predictor.lm for predictor in predictors.values()]
        lm = await connected(dspy.settings.lm, *own)
        lms = [each or lm for each in own]
        endpoint = endpoint_of(lms[0])
        for each in lms:
            if endpoint_of(each) is None:
                say_what_is_lost(each)
        contexts = [opened.context for each in lms if (opened := endpoint_of(each)) and opened.context is not None]
        context = min(contexts, default=None)
        recommended = endpoint.identity.recommended if endpoint else Recommended()
        chosen = self._adapter(recommended)
        trace: list[Entry] = []
        with ExitStack() as around:
            ledger = around.enter_context(open_ledger())
            around.enter_context(reported_usage(ledger))
            around.enter_context(dspy.context(lm=lm, adapter=chosen, **({"trace": trace} if traced else {})))
            shared = CallContext(
                tag=run_tag(current_tag()),
                seed=run_seed(self.seed if call.seed is None else call.seed, call.inputs),
                sampling=self.workflow.sampling,
                spend=Spend(self.budget),
                tokenizer=endpoint.tokenizer if endpoint else tokenizer_of(lms[0]),
                context=context,
                thinks_always=lambda: bool(endpoint and endpoint.thinks_always),
                asked=call,
            )
            made = self.plan(context)
            if endpoint and made.depends_on_thinking and await endpoint.probed():
                made = self.plan(context, helpers_think=True)
            signatures = self._signatures(stages, recommended)
            signatures, shown = shown_to(
                self.signature, signatures, call.inputs, advice, isinstance(chosen, PlainAdapter)
            )
            ballot = make_ballot(self.vote_on, self.equal)
            run = Run(
                made, predictors, signatures, self.signature, call.inputs, shared, ledger, self.admit,
                ballot=ballot, shown=shown,
            )  # fmt: skip
            try:
                accepted = await run.solve()
                if traced:
                    drafting = [predictors[stage] for stage in ("draft", "refine") if stage in predictors]
                    trace[:] = await agreeing(trace, drafting, accepted, ballot)
            finally:
                around.close()
                if traced:
                    dspy.settings.trace.extend(trace)
        written = {**accepted.outputs, own_field(self.signature, "solution"): accepted.solution}
        fields = {own_field(self.signature, "reasoning"): accepted.solution, **accepted.outputs}
        streaming.tell(self.answering, written)
        streaming.tell(self, fields)
        return PDRPrediction.of(fields, run.record(), own_field(self.signature, "run"))


__all__ = ["PDR", "RunRecord"]
