"""An LM that is not this library's: a plain `dspy.LM`. What it loses is said once; what DSPy hears of it is recorded.

DSPy tells the usage of a call, and puts the answer itself into the histories of the modules around it: there stands why
it ended. Whatever it does not tell (attempts that failed, the time of the first token) is not in the ledger.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from contextlib import ExitStack
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dspy
from dspy.utils.usage_tracker import UsageTracker

from pdr_dspy import bridge, ledger
from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint.tokenizer import ModelTokenizer, local_tokenizer
from pdr_dspy.errors import Truncated
from pdr_dspy.modules.failure import typed
from pdr_dspy.workflow import Caps
from pdr_dspy.workspace import EstimatedTokenizer, Tokenizer

_OPENAI = ("openai", "azure")

_log = logging.getLogger(__name__)
_told: set[tuple[str, str]] = set()


def tokenizer_of(lm: Any) -> Tokenizer:
    """A tokenizer for an LM's texts: its checkpoint's on this machine, OpenAI's, or an estimate."""
    return _tokenizer(str(getattr(lm, "model", "")))[0]


def say_what_is_lost(lm: Any) -> None:
    """Log, once in a process for each LM, what a run does without because the LM is not an endpoint's."""
    if not isinstance(lm, dspy.BaseLM):  # DSPy will say what is wrong with it
        return
    model = str(lm.model)
    named = (model, str((getattr(lm, "kwargs", None) or {}).get("api_base") or ""))
    if named in _told:
        return
    _told.add(named)
    _log.warning(
        "%s is a plain dspy.LM: its thinking has no cap of its own (max_tokens caps thinking and answer together), "
        "seeds and vLLM's fields hold as far as DSPy passes them on, tokens are those it reports (no attempts that "
        "failed), caps are not fitted to its context, nothing is kept to be replayed, and workspaces are counted in "
        "%s. An LM of pdr_dspy.connect(URL) has all of it.",
        model, _tokenizer(model)[1],
    )  # fmt: skip


@cache
def _tokenizer(model: str) -> tuple[Tokenizer, str]:
    """A tokenizer and what it is, by DSPy's name of a model (`openai/gpt-4o`, `hosted_vllm/Qwen/Qwen3-8B`)."""
    provider, _, name = model.partition("/")
    if (local := local_tokenizer(name, _log.warning)) is not None:
        return local, f"the tokens of the checkpoint {name} on this machine"
    if provider in _OPENAI and (theirs := _tiktoken(name.rpartition("/")[2])) is not None:
        return theirs, "OpenAI's tokens"
    return EstimatedTokenizer(), "estimated tokens (three bytes each)"


def _tiktoken(name: str) -> Tokenizer | None:
    """OpenAI's tokenizer, where its table is on this machine (LiteLLM brings it)."""
    tables = find_spec("litellm")
    if tables is None or tables.origin is None or find_spec("tiktoken") is None:
        return None
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(Path(tables.origin).parent / "litellm_core_utils" / "tokenizers"))
    import tiktoken

    class Encoder:
        decodes = True

        def __init__(self, encoding: tiktoken.Encoding) -> None:
            self._encoding = encoding

        def encode(self, text: str) -> list[int]:
            return self._encoding.encode_ordinary(text)

        def decode(self, ids: Any) -> str:
            return self._encoding.decode(list(ids), errors="replace")

    try:
        return ModelTokenizer(Encoder(tiktoken.encoding_for_model(name)))
    except Exception:  # a name it does not know, or a table that is not there
        return None


async def predicted(predictor: dspy.Predict, lm: Any, /, **given: Any) -> dspy.Prediction:
    """One call of a predictor; of an LM that is synchronous alone, in a thread."""
    asynchronous = getattr(type(lm), "aforward", None) is not getattr(dspy.BaseLM, "aforward", None)
    if asynchronous or not isinstance(lm, dspy.BaseLM):
        found: dspy.Prediction = await predictor.acall(**given)
        return found
    with dspy.context(send_stream=None):  # from such a thread DSPy can't send into a stream
        return await bridge.in_thread(lambda: predictor(**given))


class _Listener:
    """Stands among the calling modules, into whose histories DSPy puts each answer."""

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []


class Overheard:
    """One call of a plain LM, as DSPy tells of it. A context: what is called inside is heard.

    Args:
        lm: The LM.
        tag: The call's place.
        caps: Its caps.
    """

    def __init__(self, lm: Any, tag: CallTag, caps: Caps) -> None:
        self._lm, self._tag, self._caps = lm, tag, caps
        self._listener = _Listener()
        self._tracker = UsageTracker()
        self._around = ExitStack()

    def __enter__(self) -> Overheard:
        self._started, self._clock = time.time(), time.perf_counter()
        callers = [*(dspy.settings.caller_modules or []), self._listener]
        self._parent = dspy.settings.usage_tracker
        self._around.enter_context(dspy.context(usage_tracker=self._tracker, caller_modules=callers))
        return self

    def __exit__(self, *_: object) -> None:
        self._around.close()

    @property
    def cut(self) -> bool:
        """Whether its last answer ended at the cap; False also where DSPy keeps no history."""
        return self._finish == "length"

    def truncated(self) -> Truncated:
        """The error of an answer that was cut."""
        outputs = self._listener.history[-1].get("outputs") or [""]
        text = outputs[0].get("text") if isinstance(outputs[0], dict) else outputs[0]
        return Truncated(f"the cap of {self._caps.total} tokens was reached", str(text or ""))

    def note(self, mine: ledger.Ledger, failed: BaseException | None) -> None:
        """Record the call, unless somebody has (`mine`); `failed` is what it ended in, if in no answer."""
        entries = [entry for usages in self._tracker.usage_data.values() for entry in usages]
        if self._parent is not None:
            for model, usages in self._tracker.usage_data.items():
                for entry in usages:
                    self._parent.add_usage(model, entry)
        if mine.records:
            return
        outcome, tag = self._outcome(failed), self._tag
        ledger.record(
            ledger.CallRecord(
                call=uuid.uuid4().hex, attempt=0, run=tag.run, stage=tag.stage, step=tag.step, round=tag.round,
                index=tag.index, sample=tag.sample, problem=tag.problem, model=str(getattr(self._lm, "model", "")),
                replica="", outcome=outcome, finish=self._finish,
                prompt_tokens=sum(int(e.get("prompt_tokens") or 0) for e in entries),
                completion_tokens=sum(int(e.get("completion_tokens") or 0) for e in entries),
                cached_tokens=None, thinking_tokens=None, reported=bool(entries), max_tokens=self._caps.total,
                requested_tokens=self._caps.total, thinking_budget=self._caps.thinking,
                seconds=time.perf_counter() - self._clock, first_token_seconds=None, started=self._started,
                replayed=not entries and outcome == "ok",
                uncounted=0 if entries or outcome == "ok" else self._caps.total,
            )
        )  # fmt: skip

    def _outcome(self, failed: BaseException | None) -> str:
        if self.cut:
            return "truncated"
        if failed is None:
            return "ok"
        return getattr(typed(failed), "kind", "error") if isinstance(failed, Exception) else "cutoff"

    @property
    def _finish(self) -> str:
        """Why the last answer ended, in OpenAI's words; "" where nobody says."""
        answer = self._listener.history[-1].get("response") if self._listener.history else None
        if isinstance(answer, list | tuple):
            answer = answer[-1] if answer else None
        choices = getattr(answer, "choices", None)
        return str(getattr(choices[-1] if choices else answer, "finish_reason", None) or "")
