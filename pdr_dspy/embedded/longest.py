"""How long tokens are, so that a text which can't fit is known by its length, before it is tokenised. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenizers.pre_tokenizers import ByteLevel


@dataclass(frozen=True, slots=True)
class Longest:
    """How much of a text one token can be.

    Attributes:
        plain: Bytes of the longest token that was learnt.
        added: Texts that were made a token each and are longer than that, with their bytes.
    """

    plain: int
    added: Mapping[str, int]

    def least(self, text: str) -> int:
        """So many tokens a text has at least."""
        plain = len(text.encode()) - sum(text.count(long) * size for long, size in self.added.items())
        return max(1, -(-plain // self.plain))


def longest_tokens(tokenizer: Mapping[str, Any]) -> Longest | None:
    """What a `tokenizer.json` says of it.

    None where a text may lose bytes before it is cut into tokens: only byte-level tokenizers keep them all.
    """
    vocabulary, added = tokenizer["model"].get("vocab"), tokenizer.get("added_tokens", ())
    splits = json.dumps(tokenizer.get("pre_tokenizer"))
    if "ByteLevel" not in splits or "Removed" in splits or "Whitespace" in splits:
        return None
    if not isinstance(vocabulary, dict) or not all(c in vocabulary for c in ByteLevel.alphabet()):
        return None
    if tokenizer.get("normalizer") or tokenizer.get("truncation"):
        return None
    if any(token.get("lstrip") or token.get("rstrip") for token in added):
        return None  # it takes any number of spaces along
    plain = max(map(len, vocabulary))  # a character of the vocabulary is a byte
    sizes = {token["content"]: len(token["content"].encode()) for token in added}
    return Longest(plain, {text: size for text, size in sizes.items() if size > plain})
