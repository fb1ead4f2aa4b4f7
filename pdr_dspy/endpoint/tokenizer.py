"""The served model's own tokens, for bounding workspaces and clamping caps.

Three ways, the first that is there: the checkpoint's `tokenizer.json` on this machine, where it agrees with the server;
the server's `/tokenize` (`server_tokens`); bytes, an upper bound, with a warning. Counting is cached, because a
workspace is cut many times over while it is fitted. Synchronous: from a coroutine, a server's tokenizer is called in a
thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Protocol

from pdr_dspy.characters import whole
from pdr_dspy.endpoint.preflight import Identity
from pdr_dspy.endpoint.server_tokens import PROBE, ServerEncoder
from pdr_dspy.errors import ServerFailure
from pdr_dspy.workspace import ByteTokenizer, Tokenizer

_CACHED = 4096  # texts


class Encoder(Protocol):
    """Cuts a text into tokens.

    Attributes:
        decodes: Whether `decode` can be called.
    """

    decodes: bool

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
        if not self._encoder.decodes:
            return self._halved(text, tokens)
        clean = whole(text)
        for kept in range(max(tokens, 0), 0, -1):
            prefix = text[: len(_common(clean, self._encoder.decode(ids[:kept])))]
            # The prefix alone may be cut into other tokens than it was as a part.
            if self.count(prefix) <= tokens:
                return prefix
        return ""

    def _halved(self, text: str, tokens: int) -> str:
        """A prefix with at most so many tokens, found by counting alone."""
        low, high = 0, len(text)  # `low` fits, `high` does not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.count(text[:middle]) <= tokens else (low, middle)
        return text[:low]

    def _ids(self, text: str) -> tuple[int, ...]:
        with self._lock:
            if (known := self._cache.get(text)) is not None:
                self._cache.move_to_end(text)
                return known
        ids = tuple(self._encoder.encode(whole(text))) if text else ()
        with self._lock:
            self._cache[text] = ids
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return ids


class LocalEncoder:
    """A checkpoint's `tokenizer.json`."""

    decodes = True

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


def find_tokenizer(
    server: ServerEncoder, identity: Identity, warn: Callable[[str], object]
) -> tuple[Tokenizer, ServerEncoder | None]:
    """The best tokenizer there is, and the server's if it has one that knows the chat template."""
    why = ""
    try:
        theirs: Sequence[int] | None = list(server.find())
    except ServerFailure as error:
        theirs, why = None, str(error)
    counter = server if theirs is not None and server.counts_chat else None
    file = _checkpoint_file(identity.root)
    if file is not None:
        local = _loaded(file, warn)
        if local is not None and (theirs is None or list(local.encode(PROBE)) == theirs):
            return ModelTokenizer(local), counter
        if local is not None:
            warn(f"{file} cuts text otherwise than the server does: the server's tokenizer is used")
    if theirs is not None:
        return ModelTokenizer(server), counter
    warn(
        f"the server has no usable /tokenize ({why}) and no checkpoint is at hand: tokens are counted as bytes, "
        "an upper bound, and caps are clamped by it"
    )
    return ByteTokenizer(), None


def local_tokenizer(model: str, warn: Callable[[str], object]) -> Tokenizer | None:
    """The tokenizer of a checkpoint on this machine, or None where there is none.

    Args:
        model: A folder, or the name of a repository of the Hugging Face hub that may have been downloaded.
        warn: Told of a file that can't be read.
    """
    file = _checkpoint_file(model)
    local = _loaded(file, warn) if file is not None else None
    return ModelTokenizer(local) if local is not None else None


def _loaded(file: Path, warn: Callable[[str], object]) -> LocalEncoder | None:
    try:
        return LocalEncoder(file)
    except Exception as error:  # the tokenizers' own, which is no other
        warn(f"{file} is no tokenizer that can be read ({error!r:.200}): it is left aside")
        return None


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
