"""One call of one stage: tag it, cap it, sample it, and turn whatever goes wrong into a typed `CallError`.

Works with this library's endpoint and with any other `dspy.LM`, which is listened to (`plain_lm`), since it does not
write into the ledger. Knows nothing of rounds.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import dspy

from pdr_dspy import ledger
from pdr_dspy.budget import Spend
from pdr_dspy.calls import CallTag, tagged
from pdr_dspy.endpoint import endpoint_of
from pdr_dspy.errors import EmptyAnswer, Truncated, Unparseable
from pdr_dspy.formats import MARKS, Unread, collecting, read
from pdr_dspy.modules.asked import Asked
from pdr_dspy.modules.failure import typed
from pdr_dspy.modules.named_calls import called
from pdr_dspy.modules.plain_lm import Overheard
from pdr_dspy.modules.prompt_size import prompt_size
from pdr_dspy.workflow import Caps, Sampling
from pdr_dspy.workspace import Tokenizer
from pdr_dspy.written import written

_HELPERS = ("distill", "pick", "analyse")


@dataclass(frozen=True, slots=True)
class CallContext:
    """What every call of a run shares.

    Attributes:
        tag: The run's tag; each call's own is made from it.
        seed: Seed of the run: the program's and the problem's (`run_seed`).
        sampling: The workflow's sampling.
        spend: What is left of the problem's `total` and `seconds` budgets.
        tokenizer: The served model's tokenizer, or an upper bound of it.
        context: The model's length in tokens, or None where nobody says.
        thinks_always: Whether the model is known by now to think though it is told not to.
        asked: The options of the program's call.
    """

    tag: CallTag
    seed: int
    sampling: Sampling
    spend: Spend
    tokenizer: Tokenizer
    context: int | None
    thinks_always: Callable[[], bool] = bool
    asked: Asked = field(default_factory=Asked)


def call_seed(seed: int, rollout: int, tag: CallTag) -> int:
    """The sampling seed of a call: the same place in the same run gives the same seed, whatever the width.

    So the first 8 of 16 drafts are the 8 drafts.

    Args:
        seed: The run's.
        rollout: DSPy's rollout id of the LM, 0 where it has none.
        tag: The call's place.
    """
    place = f"{seed}/{rollout}/{tag.sample}/{tag.stage}/{tag.round}/{tag.index}"
    return int.from_bytes(hashlib.sha256(place.encode()).digest()[:4], "big") & 0x7FFFFFFF


class Answer(NamedTuple):
    """What a call gave.

    Attributes:
        prediction: The fields of the stage's signature.
        how: How they were read (`pdr_dspy.formats.reading`).
        cut: Whether the call reached its cap all the same.
    """

    prediction: dspy.Prediction
    how: str
    cut: bool


async def ask(
    predictor: dspy.Predict,
    signature: type[dspy.Signature],
    inputs: Mapping[str, Any],
    *,
    shared: CallContext,
    tag: CallTag,
    caps: Caps,
    keep: int = 0,
    name: str = "",
) -> Answer:
    """One call.

    Args:
        predictor: The stage's predictor.
        signature: The signature it is to follow: its own, or with the instruction that suits the model.
        inputs: Its input fields.
        shared: What the calls of the run share.
        tag: The call's place in the run.
        caps: The call's caps.
        keep: Tokens of a `total` budget that must be left for the steps after this one.
        name: What it is called in a trace; "": a call of its predictor.

    Raises:
        CallError: the call gave nothing usable; its class says why.
        EndpointError: the endpoint as a whole can't be used (refused key, unknown model).
    """
    lm = shared.asked.lm or predictor.lm or dspy.settings.lm
    defaults: Mapping[str, Any] = getattr(lm, "kwargs", None) or {}
    rollout = shared.asked.rollout or int(defaults.get("rollout_id") or 0)
    tag = replace(
        tag,
        thinking=caps.thinking,
        answer=caps.answer,
        timeout=shared.spend.remaining_seconds(),
        outputs=tuple(signature.output_fields),
    )
    config: dict[str, Any] = {
        "max_tokens": caps.total,
        "seed": call_seed(shared.seed, rollout, tag),
        # What the workflow does not name is left to the LM, and what that does not name to the server.
        **shared.sampling.model_dump(exclude_none=True),
        **shared.asked.config,
    }
    options: dict[str, Any] = {} if shared.asked.lm is None else {"lm": lm}
    if not shared.asked.demos:
        options["demos"] = []
    endpoint = endpoint_of(lm)
    own = endpoint is not None
    if own and tag.stage in _HELPERS and caps.thinking is None:
        # A summary needs no chain of thought: templates that know the switch leave it out, others ignore it.
        config["chat_template_kwargs"] = {"enable_thinking": False}
    if not own and {**defaults, **predictor.config, **config}.get("temperature") != 0:
        config["rollout_id"] = config["seed"]  # distinct drafts must not share an entry of DSPy's cache
    prompt = 0
    if shared.spend.budget.total is not None:  # nobody asks otherwise, and counting may cost a request
        prompt = await asyncio.to_thread(prompt_size, predictor, signature, inputs, shared.tokenizer.count)
    second = endpoint.second_prompt(prompt, caps.thinking) if endpoint is not None else 0
    held = [shared.spend.reserve(caps.total + prompt + second, keep=keep)]
    if not second:  # the call may still turn out to need a second request

        def more(tokens: int) -> None:
            held.append(shared.spend.reserve(tokens, keep=keep))

        tag = replace(tag, more=more)
    heard = None if own else Overheard(lm, tag, caps)
    failed: BaseException | None = None
    with tagged(tag), ledger.open_ledger() as mine, heard or nullcontext(), collecting() as notes:
        try:
            settings = {"signature": signature, "config": config, **options}
            prediction = await called(predictor, lm, name, settings, inputs)
            if heard is not None and heard.cut:
                raise heard.truncated()
        except Exception as error:
            problem = typed(error)
            if heard is not None and heard.cut and isinstance(problem, Unparseable | EmptyAnswer):
                problem = heard.truncated()
            if (found := _read_all_the_same(problem, signature, tag.stage)) is None:
                failed = problem
                # Not `from error`: what is found may be the error itself or its cause, and that would close a circle.
                raise problem  # noqa: B904
            return found
        except BaseException as error:
            failed = error
            raise
        finally:
            if heard is not None:
                heard.note(mine, failed)
            shared.spend.reconcile(held[0], sum(_taken(r, prompt) for r in mine.records))
            for reservation in held[1:]:  # after it: in between, the account must not look emptier than it is
                shared.spend.reconcile(reservation, 0)
    return Answer(prediction, notes[-1] if notes else MARKS, cut=False)


def _taken(record: ledger.CallRecord, prompt: int) -> int:
    """Tokens an attempt took, or may have taken: where nobody was told, its whole prompt and all it was allowed."""
    return record.tokens + (record.uncounted + max(0, prompt - record.prompt_tokens) if record.uncounted else 0)


def _read_all_the_same(problem: Exception, signature: type[dspy.Signature], stage: str) -> Answer | None:
    """What a failed call wrote, where all fields can be read in it; None where they can't.

    An answer that another adapter could not parse, and a draft that reached its cap behind its answer.
    """
    finished = isinstance(problem, Unparseable)
    if not isinstance(problem, Unparseable | Truncated) or not problem.text:
        return None
    if not finished and stage in _HELPERS:
        return None  # half a summary is for the distiller to judge
    try:
        fields, how = read(signature, written(problem.text, signature.output_fields), finished=finished)
    except Unread:
        return None
    return Answer(dspy.Prediction(**fields), how, cut=not finished)
