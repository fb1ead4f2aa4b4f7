"""The served model's own tokens, for bounding workspaces and clamping caps.

Three ways, the first that is there: the checkpoint's `tokenizer.json` on this machine, where it agrees with the server;
the server's `/tokenize`; bytes, an upper bound, with a warning. Counting is cached, because a workspace is cut many
times over while it is fitted. Synchronous: from a coroutine, a server's tokenizer is called in a thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import httpx

from pdr_dspy.endpoint.preflight import Identity
from pdr_dspy.errors import ServerFailure
from pdr_dspy.workspace import ByteTokenizer, Tokenizer

_CACHED = 4096  # texts
_END = 8  # tokens: an opening mark in pieces, and a line break
_CHAT_FIELDS = (
    "messages", "tools", "chat_template", "chat_template_kwargs", "add_generation_prompt", "continue_final_message",
    "add_special_tokens",
)  # fmt: skip
_PROBE = "Let $x_1 = 3.14$; Übung, 数学 🙂\n\n  def f(x):\n\treturn x ** 2  # 1234567\n<think>no</think> "


class Encoder(Protocol):
    """Cuts a text into tokens."""

    def encode(self, text: str) -> Sequence[int]:
        """The tokens' ids."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids; bytes of an unfinished character may be replaced."""


class ModelTokenizer:
    """Counts and cuts in the tokens of an `Encoder`, remembering the last few thousand texts."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._cache: OrderedDict[str, tuple[int, ...]] = OrderedDict()
        self._lock = Lock()

    def count(self, text: str) -> int:
        """Tokens of the text."""
        return len(self._ids(text))

    def cut(self, text: str, tokens: int) -> str:
        """The longest prefix that ends where a token ends and has at most `tokens` tokens; never inside a character."""
        ids = self._ids(text)
        if len(ids) <= tokens:
            return text
        for kept in range(max(tokens, 0), 0, -1):
            prefix = _common(text, self._encoder.decode(ids[:kept]))
            # The prefix alone may be cut into other tokens than it was as a part.
            if self.count(prefix) <= tokens:
                return prefix
        return ""

    def _ids(self, text: str) -> tuple[int, ...]:
        with self._lock:
            if (known := self._cache.get(text)) is not None:
                self._cache.move_to_end(text)
                return known
        ids = tuple(self._encoder.encode(text)) if text else ()
        with self._lock:
            self._cache[text] = ids
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return ids


class LocalEncoder:
    """A checkpoint's `tokenizer.json`."""

    def __init__(self, file: Path) -> None:
        from tokenizers import Tokenizer as Loaded

        self._tokenizer = Loaded.from_file(str(file))

    def encode(self, text: str) -> Sequence[int]:
        """The tokens' ids, no special token added."""
        ids: Sequence[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=False))


class ServerEncoder:
    """vLLM's `/tokenize` and `/detokenize`, at the first replica that answers."""

    def __init__(self, http: httpx.Client, urls: Sequence[str], model: str) -> None:
        self._http = http
        # They are not below /v1.
        self._roots = [url.removesuffix("/v1") for url in urls]
        self._model = model

    def encode(self, text: str) -> Sequence[int]:
        """The tokens' ids, no special token added."""
        ids: list[int] = self._ask("/tokenize", {"prompt": text, "add_special_tokens": False})["tokens"]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of some ids."""
        return str(self._ask("/detokenize", {"tokens": list(ids)})["prompt"])

    def count_chat(self, body: Mapping[str, Any]) -> int:
        """Tokens of a chat request's prompt, its template applied."""
        return int(self._ask("/tokenize", {k: body[k] for k in _CHAT_FIELDS if k in body})["count"])

    def chat_end(self, body: Mapping[str, Any]) -> str:
        """The last few tokens' text of a chat request's prompt, its template applied."""
        ids = self._ask("/tokenize", {k: body[k] for k in _CHAT_FIELDS if k in body})["tokens"]
        return self.decode(ids[-_END:])

    def context(self) -> int | None:
        """The model's length as `/tokenize` states it."""
        length = self._ask("/tokenize", {"prompt": "1"}).get("max_model_len")
        return int(length) if length else None

    def _ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        problem = ""
        for root in self._roots:
            try:
                reply = self._http.post(f"{root}{path}", json={"model": self._model, **body})
                if reply.status_code == 200:
                    answer: dict[str, Any] = reply.json()
                    return answer
                problem = f"HTTP {reply.status_code}"
            except (httpx.HTTPError, ValueError) as error:
                problem = type(error).__name__
        raise ServerFailure(f"{path} of the server failed ({problem})")


def find_tokenizer(
    server: ServerEncoder, identity: Identity, warn: Callable[[str], object]
) -> tuple[Tokenizer, ServerEncoder | None]:
    """The best tokenizer there is, and the server's if it has one (it alone knows the chat template)."""
    try:
        theirs: list[int] | None = list(server.encode(_PROBE))
    except (ServerFailure, KeyError):
        theirs = None
    file = _checkpoint_file(identity.root)
    if file is not None:
        local = LocalEncoder(file)
        if theirs is None or list(local.encode(_PROBE)) == theirs:
            return ModelTokenizer(local), None if theirs is None else server
        warn(f"{file} cuts text otherwise than the server does: the server's tokenizer is used")
    if theirs is not None:
        return ModelTokenizer(server), server
    warn("the server has no /tokenize and no checkpoint is at hand: tokens are counted as bytes (an upper bound)")
    return ByteTokenizer(), None


def _checkpoint_file(root: str) -> Path | None:
    if not root:
        return None
    path = Path(root) / "tokenizer.json"
    if path.is_absolute():
        return path if path.is_file() else None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(root, "tokenizer.json")  # looks at this machine's disk alone
    except HFValidationError:  # the server named something that is no repository
        return None
    return Path(cached) if isinstance(cached, str) else None


def _common(text: str, decoded: str) -> str:
    if text.startswith(decoded):
        return decoded
    length = 0
    for ours, theirs in zip(text, decoded, strict=False):
        if ours != theirs:
            break
        length += 1
    return text[:length]
