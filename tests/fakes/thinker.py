"""A fake model that thinks before it answers, token by token as words: behind a server that keeps its thinking to a cap
or does not, takes the marks out (a reasoning parser) or does not, and continues its own unfinished messages.

    server.answer = Thinker(thinking=20, answer=" a0 a1")       # <think> t0 ... t19</think> a0 a1, and an end token

Marks are tokens of their own and count, as does the end token. With `opens` the chat template has written `<think>`
(set the server's `opens`, too): the model then begins inside its thinking. It knows nothing of the library under test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from fakes.vllm import Call, Reply

OPEN, CLOSE, END = "<think>", "</think>", ""


@dataclass(frozen=True)
class Thinker:
    """What each request gets.

    Attributes:
        thinking: Words of thinking.
        answer: What it answers.
        cap: Whether `thinking_token_budget` is kept, ignored without a word, or refused with a 400.
        parser: Whether thinking goes to a field of its own, its marks taken out.
        opens: Whether the template has opened the thinking.
        continues: Whether a message is continued, refused with a 400, or refused unless its marks are on lines of their
            own.
        marks: False: the model writes no marks (and its parser finds none).
    """

    thinking: int = 20
    answer: str = " a0 a1 a2"
    cap: Literal["kept", "ignored", "refused"] = "kept"
    parser: bool = False
    opens: bool = False
    continues: Literal["yes", "no", "lines"] = "yes"
    marks: bool = True

    def probed(self, call: Call) -> Reply:
        """The answer to a probe: as to any request."""
        return self(call)

    def __call__(self, call: Call) -> Reply:
        """The answer to one request."""
        body = call.body
        budget = body.get("thinking_token_budget")
        if budget is not None and self.cap == "refused":
            return Reply(status=400, message="thinking_token_budget is set but reasoning_config is not configured.")
        thoughts = [f" t{i}" for i in range(self.thinking)]
        if budget is not None and self.cap == "kept":
            thoughts = thoughts[:budget]
        words = [*([] if self.opens else [OPEN]), *thoughts, CLOSE] if self.marks else thoughts
        words += [*_pieces(self.answer), END]
        if body.get("continue_final_message"):
            said = str(call.messages[-1]["content"])
            if self.continues == "no" or (self.continues == "lines" and f"\n{CLOSE}" not in said):
                return Reply(status=400, message="the final message does not appear in the chat")
            words = self._rest(said)
        kept = words[: call.cap]
        text = "".join(kept)
        finish = "stop" if len(kept) == len(words) else "length"
        if not self.parser:
            return Reply(text=text, finish=finish, tokens=len(kept))
        before, _, after = text.removeprefix(OPEN).partition(CLOSE)
        # As vLLM's: without a closing mark all of it is thinking, a continued answer, too.
        return Reply(text=after or None, reasoning=before, finish=finish, tokens=len(kept))

    def _rest(self, said: str) -> list[str]:
        if self.marks:
            assert CLOSE in said, f"a thinking that is still open was continued: {said!r}"
            return [*_pieces(self.answer)[len(_pieces(said.partition(CLOSE)[2])) :], END]
        whole = [*(f" t{i}" for i in range(self.thinking)), *_pieces(self.answer)]
        return [*whole[len(_pieces(said)) :], END]


def _pieces(text: str) -> list[str]:
    return re.findall(r"\s*\S+", text)
