"""The proposals of a study: those it has, or new ones, written, checked and numbered.

Made before the study is: they are part of its space. What they cost is in the study's store and allowance, so that a
run that was killed while proposing asks for the same completions and pays for those alone that it had not got.
"""

from __future__ import annotations

import contextvars
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from optimize.proposals.ask import ATTEMPTS
from optimize.proposals.attempts import attempts
from optimize.proposals.check import leak, longest, objection
from optimize.proposals.pipeline import pipeline
from optimize.proposals.values import Method, Proposals, Refusal
from optimize.proposals.write import Desk
from optimize.space import Candidate
from pdr_dspy import bridge
from pdr_dspy.data import Dataset
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import EndpointError, Unparseable
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
_ENDPOINTS = frozenset({"server", "timeout"})  # kinds of failure that are the proposer's server's


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
        EndpointError: the proposer (or the searched model) can't be used, or has answered nothing but failures.
        SpendExhausted: the allowance has no room left.
    """
    program = PDR(data.signature, tried.workflow, budget=tried.plan.budget, seed=seed)
    learned = bridge.run(attempts(program, data.head(PROBLEMS), searched.lm))
    limit = longest(searched.context)
    desk = Desk(
        proposer, pipeline(data.signature, tuple(stages)), data, learned, seed, most_chars=_CHARS_A_TOKEN * limit
    )
    slots = [Slot(stage, number) for stage in stages for number in range(1, count + 1)]
    kept: dict[Slot, str] = {}
    refused: list[Refusal] = []
    kinds: Counter[str] = Counter()
    for attempt in range(ATTEMPTS):
        if kinds and set(kinds) <= _ENDPOINTS:
            break  # the server is gone: once is enough
        missing = [slot for slot in slots if slot not in kept]
        if missing and desk.summary is None:
            (said,) = _parallel([partial(_summary, desk, attempt)])
            desk = replace(desk, summary=said if isinstance(said, str) else None)
            kinds[said.kind if isinstance(said, _Failed) else "written"] += 1
        texts = _parallel([partial(_text, desk, slot, attempt) for slot in missing])
        # In the slots' order, not as they came: what is a copy of what must not depend on the clock.
        for slot, text in zip(missing, texts, strict=True):
            if isinstance(text, _Failed):
                kinds[text.kind] += 1
                refused.append(Refusal(slot.stage, slot.method, f"{text.kind}: {text.why}"))
                continue
            kinds["written"] += 1
            why = _objection(text, slot, kept, data, searched, limit)
            if why is None:
                kept[slot] = text
            else:
                refused.append(Refusal(slot.stage, slot.method, why))
    if set(kinds) <= _ENDPOINTS:
        raise EndpointError(
            "--propose",
            f"{proposer.identity.model} answered none of {kinds.total()} requests ({refused[-1].why})",
            "Look at the server; the same command goes on",
        )
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


def _summary(desk: Desk, attempt: int) -> str:
    return desk.summarized(attempt).summary or ""


def _text(desk: Desk, slot: Slot, attempt: int) -> str:
    if slot.method == "grounded" and desk.summary is None:
        raise Unparseable("there is no summary of the data to write it from")
    return desk.write(slot.stage, slot.method, slot.number, attempt)


def _parallel(jobs: Sequence[Callable[[], str]]) -> list[str | _Failed]:
    """Run all jobs in threads (DSPy's proposers are synchronous); what is fatal to one ends all."""
    # MIPROv2's proposer hands over fields that its own signatures lack, and DSPy warns of each.
    warnings = logging.getLogger("dspy.predict.predict")
    before = warnings.level
    warnings.setLevel(logging.ERROR)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="proposer") as pool:
        futures: list[Future[str | _Failed]] = [
            pool.submit(contextvars.copy_context().run, _guarded, job) for job in jobs
        ]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            warnings.setLevel(before)


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
