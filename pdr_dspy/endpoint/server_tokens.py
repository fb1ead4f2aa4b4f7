"""A server's own tokenizer, asked over HTTP: vLLM's `/tokenize` and `/detokenize`, or llama.cpp's of the same names.

Whatever comes back is checked: what is no list of token ids is a `ServerFailure`, never another error. Whether the
server has a tokenizer that can be used at all is found out once (`find`), by a text whose tokens are plausible and lead
back to it. A server that does not answer in time is not asked again by and by: at the start not at all, later, once
that has happened twice running, only after a rest that doubles each time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from pdr_dspy.characters import whole, whole_json
from pdr_dspy.endpoint.cards import as_length
from pdr_dspy.errors import ServerFailure

PROBE = "Let $x_1 = 3.14$; Übung, 数学 🙂\n\n  def f(x):\n\treturn x ** 2  # 1234567\n<think>no</think> "
"""A text whose tokens tell tokenizers apart."""

_END = 8  # tokens: an opening mark in pieces, and a line break
_FEWEST = 4  # tokens of the probe in any vocabulary
_SPECIAL = 4  # tokens that a server may put around a text though it is told not to
_TEMPLATE = 4096  # tokens that a chat template may add
_TOLD_APART = 12  # characters of the probe that have to come back
_FIRST_REST, _LONGEST_REST = 30.0, 600.0
"""Seconds that a server is left alone after it has not answered in time twice running, and at most."""

_CHAT_FIELDS = (
    "messages", "tools", "chat_template", "chat_template_kwargs", "add_generation_prompt", "continue_final_message",
    "add_special_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server wants to be asked.

    Attributes:
        asked: The field that the text to be cut goes into.
        answered: The field that a text comes back in.
        fixed: What is sent with it.
    """

    asked: str
    answered: str
    fixed: Mapping[str, Any]


VLLM = Dialect("prompt", "prompt", {"add_special_tokens": False})
LLAMA_CPP = Dialect("content", "content", {"add_special": False})


class ServerEncoder:
    """A server's tokenizer, at the first replica that answers.

    Args:
        http: The client.
        urls: Base addresses of the replicas.
        model: Name the model is served under.
        clock: Seconds that only grow.

    Attributes:
        dialect: How it is asked.
        decodes: Whether tokens can be made text again.
        counts_chat: Whether it counts a chat's prompt, its template applied.
    """

    def __init__(
        self, http: httpx.Client, urls: Sequence[str], model: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.dialect = VLLM
        self.decodes = True
        self.counts_chat = True
        self._http = http
        # They are not below /v1.
        self._roots = [url.removesuffix("/v1") for url in urls]
        self._model = model
        self._clock = clock
        self._silent: dict[str, tuple[int, float]] = {}  # how often running it was late, and when it may be asked again

    def find(self) -> Sequence[int]:
        """Find out how the server is asked; the probe's tokens.

        Raises:
            ServerFailure: it has no tokenizer that can be used.
        """
        problem = ServerFailure("no /tokenize")
        for dialect in (VLLM, LLAMA_CPP):
            self.dialect = dialect
            try:
                ids = self._plausible()
            except ServerFailure as error:
                problem = problem if dialect is LLAMA_CPP else error
                for root in self._silent:
                    self._late(root)  # who does not answer now is not asked in another way
                continue
            self.counts_chat = dialect is VLLM and self._chat_is_plausible(len(ids))
            return ids
        self.dialect = VLLM
        raise problem

    def encode(self, text: str) -> Sequence[int]:
        """The tokens' ids, no special token added."""
        return _ids(self._ask("/tokenize", {self.dialect.asked: text, **self.dialect.fixed}).get("tokens"))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids."""
        return self._said(self._ask("/detokenize", {"tokens": list(ids)}))

    def count_chat(self, body: Mapping[str, Any]) -> int:
        """Tokens of a chat request's prompt, its template applied."""
        answer = self._ask("/tokenize", {k: body[k] for k in _CHAT_FIELDS if k in body})
        count = answer.get("count")
        if isinstance(count, int) and not isinstance(count, bool) and count > 0:
            return count
        return len(_ids(answer.get("tokens")))

    def chat_end(self, body: Mapping[str, Any]) -> str:
        """The last few tokens' text of a chat request's prompt, its template applied."""
        ids = _ids(self._ask("/tokenize", {k: body[k] for k in _CHAT_FIELDS if k in body}).get("tokens"))
        return self.decode(ids[-_END:])

    def context(self) -> int | None:
        """The model's length as `/tokenize` states it, even one that is of no other use; None where it does not."""
        try:
            return as_length(self._ask("/tokenize", {self.dialect.asked: "1"}).get("max_model_len"))
        except ServerFailure:
            return None

    def _plausible(self) -> Sequence[int]:
        ids = self.encode(PROBE)
        if not _FEWEST <= len(ids) <= len(PROBE.encode()) + _SPECIAL:
            raise ServerFailure(
                f"/tokenize of the server gives {len(ids)} tokens for a text of {len(PROBE)} characters"
            )
        try:
            answer = self._ask("/detokenize", {"tokens": list(ids)})
        except ServerFailure:
            self.decodes = False  # there is none
            return ids
        if _bare(PROBE)[:_TOLD_APART] not in _bare(self._said(answer)):
            raise ServerFailure("/detokenize of the server does not give back what /tokenize was given")
        return ids

    def _said(self, answer: Mapping[str, Any]) -> str:
        text = answer.get(self.dialect.answered)
        if not isinstance(text, str):
            raise ServerFailure("/detokenize of the server gives no text")
        return whole(text)

    def _chat_is_plausible(self, tokens: int) -> bool:
        try:
            count = self.count_chat({"messages": [{"role": "user", "content": PROBE}]})
        except ServerFailure:
            return False
        return tokens - _SPECIAL <= count <= tokens + _TEMPLATE

    def _ask(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        problem = ""
        for root in self._roots:
            if self._silent.get(root, (0, 0.0))[1] > self._clock():
                problem = "it did not answer in time before, and is left alone for a while"
                continue
            try:
                reply = self._http.post(f"{root}{path}", json={"model": self._model, **whole_json(dict(body))})
                if reply.status_code != 200:
                    problem = f"HTTP {reply.status_code}"
                    continue
                answer = reply.json()
            except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
                problem = type(error).__name__
                if isinstance(error, httpx.TimeoutException):
                    self._late(root)
                continue
            self._silent.pop(root, None)
            if isinstance(answer, Mapping):
                return answer
            problem = f"a body of another shape: {type(answer).__name__}"
        raise ServerFailure(f"{path} of the server failed ({problem})")

    def _late(self, root: str) -> None:
        """It did not answer in time. Once may be a full server's affair."""
        times = self._silent.get(root, (0, 0.0))[0] + 1
        rest = min(_FIRST_REST * 2 ** min(times - 2, 10), _LONGEST_REST) if times > 1 else 0.0
        self._silent[root] = (times, self._clock() + rest)


def _ids(value: Any) -> list[int]:
    if not isinstance(value, list) or not value:
        raise ServerFailure("/tokenize of the server gives no tokens")
    if not all(isinstance(token, int) and not isinstance(token, bool) and token >= 0 for token in value):
        raise ServerFailure("/tokenize of the server gives something else than token ids")
    return value


def _bare(text: str) -> str:
    return "".join(text.split()).casefold()
