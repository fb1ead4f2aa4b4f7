"""The workspace: what a round may read of the rounds before it, never more than kappa tokens.

It is rebuilt every round and never appended to. Only what was written enters it, never the thinking, and no mark that
would forge a frame of the prompt (`quoting`). Tokens are those of whatever `Tokenizer` is handed in (the served model's
own, where there is one). Pure functions of text: knows nothing of workflows, calls or DSPy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from pdr_dspy.errors import WorkflowError
from pdr_dspy.quoting import quoted
from pdr_dspy.written import written_in

LEAST_PER_DRAFT = 32
"""Tokens a workspace of whole drafts must have for each: a frame's 27 bytes and a little text, in any tokenizer."""

LEAST_PER_ANSWER = 8
"""Tokens a workspace of answers must have for each."""

LEAST_WITH_ANALYSIS = 64
"""Tokens a workspace of a draft and its analysis must have."""


class Tokenizer(Protocol):
    """Counts and cuts text in some model's tokens. Pure: the same text gives the same result."""

    def count(self, text: str) -> int:
        """Tokens of the text (at most one for each UTF-8 byte)."""

    def cut(self, text: str, tokens: int) -> str:
        """The longest prefix of the text with at most `tokens` tokens; it never ends inside a character."""


class ByteTokenizer:
    """One token a UTF-8 byte: an upper bound, for models whose tokenizer is not at hand."""

    def count(self, text: str) -> int:
        """Bytes of the text."""
        return len(text.encode("utf-8", "surrogatepass"))

    def cut(self, text: str, tokens: int) -> str:
        """The longest prefix with at most `tokens` bytes that ends between characters."""
        data = text.encode("utf-8", "surrogatepass")
        end = max(0, min(tokens, len(data)))
        while 0 < end < len(data) and data[end] & 0xC0 == 0x80:  # a continuation byte: its character began before
            end -= 1
        return data[:end].decode("utf-8", "surrogatepass")


class EstimatedTokenizer:
    """A token for every three UTF-8 bytes: an estimate, for models of which nothing better is known.

    English prose has four bytes or more a token in today's tokenizers, code and other scripts about three, figures
    fewer: so what is bounded by it is rather too short than too long, except for long rows of figures.
    """

    _BYTES = 3

    def count(self, text: str) -> int:
        """Bytes of the text by three, rounded up."""
        return -(-ByteTokenizer().count(text) // self._BYTES)

    def cut(self, text: str, tokens: int) -> str:
        """The longest prefix that counts as at most `tokens` tokens and ends between characters."""
        return ByteTokenizer().cut(text, max(0, tokens) * self._BYTES)


def render_drafts(drafts: Sequence[str]) -> str:
    """Drafts as numbered blocks, the form `distill` and `pick` read (numbers start at 1); none can forge a block."""
    return "\n".join(f'<draft id="{i}">\n{quoted(draft)}\n</draft>' for i, draft in enumerate(drafts, start=1))


def bound(text: str, kappa: int, tokenizer: Tokenizer) -> str:
    """The text itself where it has at most kappa tokens, else its longest prefix that has."""
    return text if tokenizer.count(text) <= kappa else tokenizer.cut(text, kappa)


def summary_workspace(text: str, kappa: int, tokenizer: Tokenizer) -> str:
    """The workspace that a distil call wrote."""
    return bound(_shown(text), kappa, tokenizer)


def drafts_workspace(drafts: Sequence[str], kappa: int, tokenizer: Tokenizer) -> str:
    """Whole drafts as the workspace, none lost: where they are too long together, the longest are cut first.

    Args:
        drafts: The drafts' text; one with nothing written is left out.
        kappa: The most tokens of the workspace, frames included.
        tokenizer: Counts the tokens.

    Raises:
        WorkflowError: kappa has no room for the frames of so many drafts (`LEAST_PER_DRAFT` each are always enough).
    """
    texts = [text for text in map(_shown, drafts) if text]
    return _fit(texts, render_drafts, kappa, tokenizer)


def answers_workspace(answers: Sequence[str], kappa: int, tokenizer: Tokenizer) -> str:
    """The drafts' answers alone, a numbered line each; too long ones are cut, none is lost.

    Raises:
        WorkflowError: kappa has no room for so many lines (`LEAST_PER_ANSWER` each are always enough).
    """
    texts = [" ".join(text.split()) for text in map(_shown, answers)]
    return _fit([text for text in texts if text], _lines, kappa, tokenizer)


def previous_workspace(draft: str, analysis: str | None, kappa: int, tokenizer: Tokenizer) -> str:
    """The previous draft as the workspace, with an analysis of its flaws where there is one.

    Raises:
        WorkflowError: kappa has no room for the frames of both (`LEAST_WITH_ANALYSIS` is always enough).
    """
    notes = _shown(analysis) if analysis is not None else ""
    if not notes:
        return bound(_shown(draft), kappa, tokenizer)
    return _fit([_shown(draft), notes], _analysed, kappa, tokenizer)


def _shown(text: str) -> str:
    """What a model wrote, as another call may read it."""
    return quoted(written_in(text))


def _lines(texts: Sequence[str]) -> str:
    return "\n".join(f"{i}. {text}" for i, text in enumerate(texts, start=1))


def _analysed(texts: Sequence[str]) -> str:
    draft, notes = texts
    return f"<draft>\n{draft}\n</draft>\n<analysis>\n{notes}\n</analysis>"


def _fit(texts: Sequence[str], render: Callable[[Sequence[str]], str], kappa: int, tokenizer: Tokenizer) -> str:
    """Render the texts, each cut to the largest common cap with which the whole has at most kappa tokens.

    A common cap shares fairly: what a short text leaves over goes to the longer ones. The whole is counted rendered,
    because the tokens of a text are not the sum of its parts' tokens.
    """
    if not texts:
        return ""
    whole = render(texts)
    if tokenizer.count(whole) <= kappa:
        return whole
    best: str | None = None
    low, high = 0, kappa  # the largest cap known to fit is below low, the smallest known not to fit above high
    while low <= high:
        cap = (low + high) // 2
        tried = render([tokenizer.cut(text, cap) for text in texts])
        if tokenizer.count(tried) <= kappa:
            best, low = tried, cap + 1
        else:
            high = cap - 1
    if best is None:
        frames = tokenizer.count(render(["" for _ in texts]))
        raise WorkflowError(
            "distill.tokens",
            f"a workspace of {kappa} tokens has no room for {len(texts)} parts ({frames} tokens for the frames alone)",
            f"Write more than tokens: {frames}",
        )
    return best
