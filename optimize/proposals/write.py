"""DSPy's own proposers, each asked for one instruction of one stage.

Grounded: MIPROv2's `GroundedProposer`, which reads a summary of the data, the program, right answers and a tip.
Reflective: GEPA's `InstructionProposer`, which reads what the stage did, failures first, with feedback. What they read
is cut to fit the proposer's context. Everything random comes from the call's own generator, so that a proposer asked
again asks its model for the same completions. Knows nothing of studies and checks.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dspy
from dspy.propose.dataset_summary_generator import create_dataset_summary
from dspy.propose.grounded_proposer import TIPS, GroundedProposer
from dspy.teleprompt.gepa.instruction_proposal import InstructionProposer

from optimize.proposals.attempts import Attempt
from optimize.proposals.pipeline import ParallelDistillRefine
from optimize.proposals.size import GROUNDED, USUAL_CONTEXT, caps
from optimize.space.proposals import Method
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.data import Dataset
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import Unparseable
from pdr_dspy.ledger import open_ledger
from pdr_dspy.workspace import Tokenizer, bound

EXAMPLES = 4
"""Attempts that a reflection reads."""

DEMOS = 3
"""Right answers that a grounded proposal reads."""

OBSERVED = 10
"""Problems that the summary of the data is made from."""

_TEMPLATE = 2048  # tokens of the proposers' own prompts, the program's source and the stage's instruction
_MOST_READ = 6000  # tokens of examples a call reads at most


@dataclass(frozen=True)
class InstructionWriter:
    """What the proposers write from.

    Attributes:
        endpoint: The proposer's model.
        program: The stages, as they are.
        source: The program as text. Made beforehand: Python's parser fails now and then in several threads at once.
        data: Problems of the search.
        attempts: What the stages did on some of them.
        seed: The search's.
        most_chars: Characters an instruction may have.
        summary: What the data is like, in words; None: not asked yet.
    """

    endpoint: Endpoint
    program: ParallelDistillRefine
    source: str
    data: Dataset
    attempts: Sequence[Attempt]
    seed: int
    most_chars: int
    summary: str | None = None

    def summarize(self, attempt: int) -> str:
        """What the data is like, in words (two calls of the proposer)."""
        share = self._room // OBSERVED
        train = [
            dspy.Example(
                **_cut(p.inputs, share, self.tokenizer), answer=_cut_one(p.answer or "", share, self.tokenizer)
            )
            for p in self.data.problems[:OBSERVED]
        ]
        with self._asking("summary", attempt) as lm:
            return str(create_dataset_summary(train, OBSERVED, lm))

    def write(self, stage: str, method: Method, number: int, attempt: int) -> str:
        """One instruction.

        Args:
            stage: The stage it is for.
            method: Which proposer.
            number: Which of the stage's proposals (from 1).
            attempt: How often it was asked for before.
        """
        rng = random.Random(f"{self.seed}/{stage}/{number}/{attempt}")
        names = [name for name, _ in self.program.named_predictors()]
        predictor = getattr(self.program, stage)
        with self._asking(f"{stage}/{number}", attempt) as lm:
            if method == "reflective":
                text = self._reflective(stage, predictor, rng)
            else:
                text = self._grounded(names.index(stage), stage, predictor, rng, lm)
        # The stage reads it below the user's own instruction: what repeats that is left out.
        return text.strip().removeprefix(self.data.signature.instructions).strip()

    def _grounded(self, place: int, stage: str, predictor: dspy.Predict, rng: random.Random, lm: dspy.LM) -> str:
        right = [a for a in self.attempts if a.stage == stage and a.right and a.outputs]
        shown = rng.sample(right, min(DEMOS, len(right)))
        demos = [dspy.Example(augmented=True, **self._fields({**a.inputs, **a.outputs}, DEMOS)) for a in shown]
        proposer = GroundedProposer(
            prompt_model=lm,
            program=self.program,
            trainset=[],
            # It makes a summary and a source of its own, and goes on without one that failed: it gets ours.
            use_dataset_summary=False,
            program_aware=False,
            num_demos_in_context=DEMOS,
            use_instruct_history=False,
            rng=rng,
        )
        proposer.data_summary, proposer.use_dataset_summary = self.summary, True
        proposer.program_code_string, proposer.program_aware = self.source, True
        tip = TIPS[rng.choice(list(TIPS))]
        proposer.use_tip = bool(tip)
        with open_ledger() as ledger:
            text = proposer.propose_instruction_for_predictor(
                program=self.program,
                predictor=predictor,
                pred_i=place,
                demo_candidates={place: [[], demos]},  # the proposer shows none to the first set
                demo_set_i=1,
                trial_logs={},
                tip=tip,
            )
        if len({r.call for r in ledger.records if r.outcome == "ok"}) < GROUNDED:
            # It goes on without a description of the program that failed, and does not say so.
            raise Unparseable("the proposer's description of the program can't be read")
        return str(text)

    def _reflective(self, stage: str, predictor: dspy.Predict, rng: random.Random) -> str:
        own = [a for a in self.attempts if a.stage == stage]
        wrong, right = [a for a in own if not a.right], [a for a in own if a.right]
        chosen = rng.sample(wrong, min(EXAMPLES - bool(right), len(wrong)))
        chosen += rng.sample(right, min(EXAMPLES - len(chosen), len(right)))
        if not chosen:
            raise Unparseable("the stage has done nothing to reflect on")
        records = [
            {
                "Inputs": self._fields(a.inputs, EXAMPLES),
                "Generated Outputs": self._fields(a.outputs, EXAMPLES) or "(none)",
                "Feedback": _cut_one(a.feedback, self._room // (4 * EXAMPLES), self.tokenizer),
            }
            for a in chosen
        ]
        propose = InstructionProposer(max_chars=self.most_chars, adapter=_adapter())
        try:
            return propose({stage: predictor.signature.instructions}, {stage: records}, [stage])[stage]
        except ValueError as error:  # pydantic's, and its own where there is nothing
            raise Unparseable(f"no instruction of 1 to {self.most_chars:,} characters") from error

    @property
    def tokenizer(self) -> Tokenizer:
        """The proposer's."""
        return self.endpoint.tokenizer

    @property
    def _room(self) -> int:
        context = self.endpoint.context or USUAL_CONTEXT
        return max(256, min(_MOST_READ, context - caps(context).total - _TEMPLATE))

    def _fields(self, values: Mapping[str, Any], examples: int) -> dict[str, str]:
        return _cut(values, self._room // (examples * max(3, len(values))), self.tokenizer)

    @contextmanager
    def _asking(self, place: str, attempt: int) -> Iterator[dspy.LM]:
        """Calls made inside go to the proposer, within its caps, and differ from those made for another place."""
        dice = random.Random(f"{self.seed}/{place}/{attempt}/lm")
        own = caps(self.endpoint.context)
        lm = self.endpoint.lm.copy(
            max_tokens=own.total, temperature=1.0, seed=dice.getrandbits(31), rollout_id=dice.getrandbits(31)
        )
        tag = CallTag(thinking=own.thinking, answer=own.answer)
        with tagged(tag), dspy.context(lm=lm, adapter=_adapter(), disable_history=True):
            yield lm


def _adapter() -> dspy.ChatAdapter:
    return dspy.ChatAdapter(use_json_adapter_fallback=False)  # the fallback asks everything a second time


def _cut(values: Mapping[str, Any], tokens: int, tokenizer: Tokenizer) -> dict[str, str]:
    return {name: _cut_one(value, tokens, tokenizer) for name, value in values.items()}


def _cut_one(value: Any, tokens: int, tokenizer: Tokenizer) -> str:
    return bound(str(value), max(16, tokens), tokenizer)
