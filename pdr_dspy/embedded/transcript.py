"""One choice's text as it grows: thinking and answer apart, cut at a stop string.

Streamed and whole responses go through the same code, so they can't differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .chat import ChatTokenizer
from .jobs import Finish
from .thinking import Part, ThinkingState


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of a choice, and whether this is the last of it."""

    reasoning: str = ""
    content: str = ""
    last: bool = False


class Transcript:
    """A choice's tokens, turned into text.

    Args:
        tokenizer: The model's.
        thinking: Follows the thinking; None leaves everything in the answer.
        stop: Strings that end the choice.
        keep_stop: Whether the stop string stays in the text.
        stop_ids: Tokens that end the choice; such a last token is counted, not shown.

    Attributes:
        tokens: Tokens generated so far, those of the end and of a stop string included.
        finish: Why the choice ended, or None.
        stop_reason: The stop string or token that ended it, where one did.
    """

    def __init__(
        self,
        tokenizer: ChatTokenizer,
        thinking: ThinkingState | None,
        stop: Sequence[str] = (),
        keep_stop: bool = False,
        stop_ids: frozenset[int] = frozenset(),
    ) -> None:
        self._thinking = thinking
        self._stop_ids = stop_ids
        self._parts = {part: _Part(tokenizer, stop, keep_stop) for part in ("thinking", "answer")}
        self.tokens = 0
        self.finish: Finish | None = None
        self.stop_reason: str | int | None = None

    @property
    def reasoning_tokens(self) -> int:
        """Thinking tokens so far (markers not counted)."""
        return self._thinking.thought if self._thinking else 0

    def feed(self, tokens: Sequence[int], finish: Finish | None) -> Delta:
        """Take the next tokens; after a stop string the rest of them is dropped, uncounted."""
        texts = {"thinking": "", "answer": ""}
        for place, token in enumerate(tokens, start=1):
            self.tokens += 1
            part: Part = self._thinking.feed(token) if self._thinking else "answer"
            if finish == "stop" and place == len(tokens) and token in self._stop_ids:
                self.stop_reason = token
                continue
            if part == "marker":
                continue
            texts[part] += self._parts[part].feed(token)
            if (stop := self._parts[part].stopped_at) is not None:
                finish, self.stop_reason = "stop", stop
                break
        if finish is not None:
            self.finish = finish
            for name, rest in self._parts.items():
                texts[name] += rest.flush()
        return Delta(texts["thinking"], texts["answer"], finish is not None)


class _Part:
    """The thinking's or the answer's text, with its own look-out for stop strings."""

    def __init__(self, tokenizer: ChatTokenizer, stop: Sequence[str], keep_stop: bool) -> None:
        self._text = tokenizer.incremental()
        self._stop = stop
        self._keep_stop = keep_stop
        # So much may still turn out to be the beginning of a stop string.
        self._hold = max((len(s) for s in stop), default=1) - 1
        self._held = ""
        self.stopped_at: str | None = None

    def feed(self, token: int) -> str:
        return self._release(self._text.feed(token), self._hold)

    def flush(self) -> str:
        if self.stopped_at is not None:
            return ""
        return self._release(self._text.flush(), 0)

    def _release(self, text: str, hold: int) -> str:
        self._held += text
        hits = [(at, stop) for stop in self._stop if (at := self._held.find(stop)) >= 0]
        if hits:
            at, self.stopped_at = min(hits, key=lambda hit: hit[0])
            shown, self._held = self._held[: at + len(self.stopped_at) if self._keep_stop else at], ""
            return shown
        cut = len(self._held) - hold
        if cut <= 0:
            return ""
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown
