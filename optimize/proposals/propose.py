"""The proposals of a study: those it has, or new ones, written, checked and numbered.

Made before the study is: they are part of its space. What they cost is in the study's store and allowance, so that a
run that was killed while proposing asks for the same completions and pays for those alone that it had not got.
"""

from __future__ import annotations

import contextvars
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from optimize.proposals.attempts import attempts
from optimize.proposals.check import leak, longest, objection
from optimize.proposals.pipeline import pipeline, source
from optimize.proposals.proposer import ATTEMPTS
from optimize.proposals.write import InstructionWriter
from optimize.space.proposals import Method, Proposals, Refusal
from optimize.space.space import Candidate
from pdr_dspy import bridge
from pdr_dspy.data import Dataset
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import EndpointError, ServerFailure
from pdr_dspy.evaluation.failures import describe, fatal
from pdr_dspy.modules import PDR
from pdr_dspy.prompts import catalogue
from pdr_dspy.workflow import Instruction, Stage

PROBLEMS = 8
"""Problems of the search that are tried for the proposers to learn from: a race's first rung, which the search asks
for anyway."""

AT_ONCE = 16
"""Proposals written at once."""

_CHARS_A_TOKEN = 3  # fewer than most texts have: a proposal that keeps to it keeps to its tokens


@dataclass(frozen=True)
class Slot:
    """One proposal wanted."""

    stage: Stage
    number: int

    @property
    def method(self) -> Method:
        """Grounded and reflective in turn."""
        return "grounded" if self.number % 2 else "reflective"

    @property
    def id(self) -> str:
        """`grounded-1`, `reflective-2`, ..."""
        return f"{self.method}-{self.number}"


def propose(
    count: int,
    stages: Sequence[Stage],
    *,
    tried: Candidate,
    data: Dataset,
    searched: Endpoint,
    proposer: Endpoint,
    seed: int,
) -> Proposals:
    """Write `count` instructions for each stage. Not to be called on the library's loop.

    Args:
        count: Instructions for each stage.
        stages: The stages, those of `tried` among them.
        tried: The workflow whose calls the proposers learn from.
        data: Problems of the search.
        searched: The model that will read the instructions.
        proposer: The model that writes them.
        seed: The search's.

    Raises:
        EndpointError: the proposer (or the searched model) can't be used, or its server fails.
        SpendExhausted: the allowance has no room left.
    """
    program = PDR(data.signature, tried.workflow, budget=tried.plan.budget, seed=seed, vote_on=data.graded_field)
    learned = bridge.run(attempts(program, data.head(PROBLEMS), searched.lm))
    limit = longest(searched.context)
    shown = pipeline(data.signature, tuple(stages), searched.identity.recommended.prompts)
    writer = InstructionWriter(proposer, shown, source(shown), data, learned, seed, most_chars=_CHARS_A_TOKEN * limit)
    slots = [Slot(stage, number) for stage in stages for number in range(1, count + 1)]
    kept: dict[Slot, str] = {}
    refused: list[Refusal] = []
    for attempt in range(ATTEMPTS):
        missing = [slot for slot in slots if slot not in kept]
        writer, texts = _round(writer, missing, attempt)
        unanswered = [text for text in texts if isinstance(text, _Failed) and text.kind == ServerFailure.kind]
        if unanswered and (attempt or len(unanswered) == len(texts)):
            raise EndpointError(
                "--propose",
                f"{proposer.identity.model} failed for {len(unanswered)} of {len(texts)} proposals "
                f"({unanswered[-1].why})",
                "Look at its server; what was written is kept, and the same command goes on",
            )
        # In the slots' order, not as they came: what is a copy of what must not depend on the clock.
        for slot, text in zip(missing, texts, strict=True):
            if isinstance(text, _Failed):
                why: str | None = f"{text.kind}: {text.why}"
            else:
                why = _objection(text, slot, kept, data, searched, limit)
                if why is None:
                    kept[slot] = text
            if why is not None:
                refused.append(Refusal(slot.stage, slot.method, why))
    return Proposals(
        asked=count,
        proposer=proposer.identity.model,
        instructions=tuple(
            (stage, tuple(Instruction(id=s.id, text=kept[s]) for s in slots if s.stage == stage and s in kept))
            for stage in stages
        ),
        refused=tuple(refused),
    )


def _objection(
    text: str, slot: Slot, kept: dict[Slot, str], data: Dataset, searched: Endpoint, limit: int
) -> str | None:
    taken = {**catalogue(slot.stage), **{s.id: t for s, t in kept.items() if s.stage == slot.stage}}
    described = " ".join(str(field.json_schema_extra.get("desc", "")) for field in data.signature.fields.values())
    said = f"{data.signature.instructions} {described}"
    wrong = objection(text, taken=taken, limit=limit, tokenizer=searched.tokenizer)
    return wrong or leak(text, data.problems, said)


@dataclass(frozen=True)
class _Failed:
    """A call of a proposer that gave no text."""

    kind: str
    why: str


def _round(
    writer: InstructionWriter, slots: Sequence[Slot], attempt: int
) -> tuple[InstructionWriter, list[str | _Failed]]:
    """A text for each slot; grounded ones need a summary of the data first, which the writer keeps."""
    failed: _Failed | None = None
    if slots and writer.summary is None:
        (said,) = _parallel([partial(writer.summarize, attempt)], writer.endpoint)
        if isinstance(said, _Failed):
            failed = _Failed(said.kind, f"no summary of the data ({said.why})")
        else:
            writer = replace(writer, summary=said)
    ready = [slot for slot in slots if slot.method == "reflective" or failed is None]
    jobs = [partial(writer.write, slot.stage, slot.method, slot.number, attempt) for slot in ready]
    texts = dict(zip(ready, _parallel(jobs, writer.endpoint), strict=True))
    return writer, [texts[slot] if failed is None else texts.get(slot, failed) for slot in slots]


def _parallel(jobs: Sequence[Callable[[], str]], endpoint: Endpoint) -> list[str | _Failed]:
    """Run all jobs in threads (DSPy's proposers are synchronous); what is fatal to one, and Ctrl-C, ends all."""
    with _quiet(), ThreadPoolExecutor(AT_ONCE, thread_name_prefix="proposer") as pool:
        futures: list[Future[str | _Failed]] = [
            pool.submit(contextvars.copy_context().run, _guarded, job) for job in jobs
        ]
        try:
            return [future.result() for future in futures]
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                print("stopping when the answers in flight are there; the same command goes on", file=sys.stderr)
            # They are kept; what their jobs would ask next is refused.
            pool.shutdown(wait=False, cancel_futures=True)
            endpoint.close()
            raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Without DSPy's warnings that MIPROv2's proposer hands over fields which its own signatures lack."""
    logger = logging.getLogger("dspy.predict.predict")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _guarded(job: Callable[[], str]) -> str | _Failed:
    try:
        return job()
    except Exception as error:
        if (mistake := fatal(error)) is not None:
            raise mistake from error
        kind, detail = describe(error)
        if kind == type(error).__name__:
            raise  # no failed call: a bug
        return _Failed(kind, detail)
