"""The workspace: never more than kappa tokens, never thinking, no draft lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pdr_dspy.errors import WorkflowError
from pdr_dspy.workspace import (
    LEAST_PER_ANSWER,
    LEAST_PER_DRAFT,
    LEAST_WITH_ANALYSIS,
    ByteTokenizer,
    Tokenizer,
    answers_workspace,
    bound,
    drafts_workspace,
    previous_workspace,
    render_drafts,
    summary_workspace,
)


class Words:
    """A tokenizer with long tokens: a run of letters, or any single other character."""

    def _ends(self, text: str) -> list[int]:
        return [m.end() for m in re.finditer(r"\w+|\W", text)]

    def count(self, text: str) -> int:
        return len(self._ends(text))

    def cut(self, text: str, tokens: int) -> str:
        ends = self._ends(text)
        return text if tokens >= len(ends) else text[: ([0, *ends])[max(0, tokens)]]


tokenizers = st.sampled_from([ByteTokenizer(), Words()])
texts = st.text(st.characters(codec="utf-8"), max_size=200)
lines = st.text("abc 1é数😀", min_size=1, max_size=200).filter(str.strip)


@given(texts, st.integers(0, 300))
def test_bytes_are_cut_between_characters(text: str, tokens: int) -> None:
    tokenizer = ByteTokenizer()
    cut = tokenizer.cut(text, tokens)
    assert text.startswith(cut)
    assert tokenizer.count(cut) <= tokens
    if cut != text:
        assert tokenizer.count(text[: len(cut) + 1]) > tokens  # the longest such prefix


@given(texts, st.integers(0, 300), tokenizers)
def test_bound_is_a_prefix_within_kappa(text: str, kappa: int, tokenizer: Tokenizer) -> None:
    short = bound(text, kappa, tokenizer)
    assert text.startswith(short) and tokenizer.count(short) <= kappa
    assert bound(short, kappa, tokenizer) == short


def test_a_summary_is_bounded_and_without_thinking() -> None:
    assert summary_workspace("<think>secret</think>12345678", 5, ByteTokenizer()) == "12345"


@given(st.lists(lines, min_size=1, max_size=16), st.integers(0, 600), tokenizers)
@example(["a"] * 16, 0, ByteTokenizer())
def test_no_draft_is_lost_and_kappa_holds(drafts: list[str], more: int, tokenizer: Tokenizer) -> None:
    kappa = LEAST_PER_DRAFT * len(drafts) + more
    workspace = drafts_workspace(drafts, kappa, tokenizer)
    assert tokenizer.count(workspace) <= kappa
    blocks = re.findall(r'<draft id="(\d+)">\n(.*?)\n</draft>', workspace, re.DOTALL)
    assert [int(number) for number, _ in blocks] == list(range(1, len(drafts) + 1))
    for (_, text), draft in zip(blocks, drafts, strict=True):
        assert text and draft.strip().startswith(text)


def test_short_drafts_leave_their_room_to_long_ones() -> None:
    long = "x" * 500
    workspace = drafts_workspace(["short", long], 300, ByteTokenizer())
    assert "short" in workspace
    assert len(workspace) == 300
    assert drafts_workspace(["short", long], 600, ByteTokenizer()) == render_drafts(["short", long])


def test_a_draft_with_nothing_written_is_left_out() -> None:
    assert drafts_workspace(["<think>only", "b"], 100, ByteTokenizer()) == '<draft id="1">\nb\n</draft>'
    assert drafts_workspace([], 100, ByteTokenizer()) == ""


def test_too_many_drafts_for_kappa_is_an_error_not_a_loss() -> None:
    with pytest.raises(WorkflowError, match="no room for 3 parts"):
        drafts_workspace(["a", "b", "c"], 40, ByteTokenizer())


@given(st.lists(lines, min_size=1, max_size=40), st.integers(0, 300), tokenizers)
def test_every_answer_has_its_line(answers: list[str], more: int, tokenizer: Tokenizer) -> None:
    kappa = LEAST_PER_ANSWER * len(answers) + more
    workspace = answers_workspace(answers, kappa, tokenizer)
    assert tokenizer.count(workspace) <= kappa
    rows = workspace.split("\n")
    assert [row.partition(". ")[0] for row in rows] == [str(i) for i in range(1, len(answers) + 1)]


def test_answers_are_lines() -> None:
    assert answers_workspace(["42", "a\nb"], 100, ByteTokenizer()) == "1. 42\n2. a b"


@given(lines, lines | st.none(), st.integers(0, 500), tokenizers)
def test_the_previous_draft_and_its_analysis_share_kappa(
    draft: str, analysis: str | None, more: int, tokenizer: Tokenizer
) -> None:
    kappa = LEAST_WITH_ANALYSIS + more
    workspace = previous_workspace(draft, analysis, kappa, tokenizer)
    assert tokenizer.count(workspace) <= kappa
    if analysis is None:
        assert workspace == bound(draft.strip(), kappa, tokenizer)
    else:
        both = re.fullmatch(r"<draft>\n(.*)\n</draft>\n<analysis>\n(.*)\n</analysis>", workspace, re.DOTALL)
        assert both and draft.strip().startswith(both[1]) and analysis.strip().startswith(both[2])
