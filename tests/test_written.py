"""What was thought is no part of what was written, whatever marks a model has."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.written import has_thinking, parted, written

ANSWER = "[[ ## answer ## ]]\n42"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("just written", "just written"),
        ("<think>hm</think>\nan answer ", "an answer"),
        ("hm</think>an answer", "an answer"),  # the template opened the thinking
        ("<think>a</think>b<think>c</think>d", "bd"),
        ("<think>never ends", ""),
        ("<think>a</think>b<think>c", "b"),
        ("</think>", ""),
        ("", ""),
        (f"let me {ANSWER}0\n</think>\n{ANSWER}", ANSWER),
        (f"<think>a<think>b</think>c</think>\n{ANSWER}", ANSWER),
        (f"<think>\n{ANSWER}", ""),
        (f"{ANSWER}\n<think>check</think>", ANSWER),
        (f"{ANSWER}\n<think>check", ANSWER),
        ("[[ ## answer ## ]]\n<think>hm</think>42", ANSWER),
        (f"I used <think> tags\n{ANSWER}", f"I used <think> tags\n{ANSWER}"),
        (f"[THINK]hm {ANSWER}0[/THINK]{ANSWER}", ANSWER),
        (f"<seed:think>hm\n</seed:think>\n{ANSWER}", ANSWER),
        (f"\u25c1think\u25b7hm\u25c1/think\u25b7{ANSWER}", ANSWER),
        (f"<|START_THINKING|>hm<|END_THINKING|>{ANSWER}", ANSWER),
        (f"<|channel|>analysis<|message|>hm 7<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}", ANSWER),
        (f"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=f <|message|>x<|call|>"
         f"<|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>", ANSWER),
        ("<|channel|>analysis<|message|>hm 7", ""),
        (f"analysisWe add.assistantfinal{ANSWER}", ANSWER),
        ("analysis of the problem: 42", "analysis of the problem: 42"),
        ("42<|im_end|>", "42"),
        ("42<|im_end|>\n<|im_start|>user\nAnother?", "42"),
        ("<|im_end|>\n42<|eot_id|>", "42"),
        (f"Close it with `</think>`.\n{ANSWER}", f"Close it with `</think>`.\n{ANSWER}"),
        (f"<think>hm</think>use `</think>` tags\n{ANSWER}", f"use `</think>` tags\n{ANSWER}"),
        ("Of `<think>` and `</think>`, the second ends it.", "Of `<think>` and `</think>`, the second ends it."),
        ('The mark "</think>" ends it.', 'The mark "</think>" ends it.'),
        ("hmm, \\boxed{7} perhaps; </think> so it is forty-two", "so it is forty-two"),
        ("it could be 7, </think> so 42", "so 42"),
        ("it is `7`</think>`42`", "`42`"),
        ('{"answer": "7"</think>"42"', '"42"'),
        ("first guess, 7 </think> forty-two", "forty-two"),
        ("so (B)</think>(C)", "(C)"),
        ("A <think> begins it, they say.", "A <think> begins it, they say."),
        (f"<think>the tag </think> ends it\n</think>\n{ANSWER}", ANSWER),
        (f"<think>a <think> begins it</think>{ANSWER}", ANSWER),
        (f"so it is 7 </think> The answer:\n{ANSWER}", f"The answer:\n{ANSWER}"),
        (f"A turn ends with '<|im_end|>'.\n{ANSWER}<|im_end|>", f"A turn ends with '<|im_end|>'.\n{ANSWER}"),
        ("42</s>", "42"),
        ("42</s></s>\n", "42"),
        ("<s>old</s> is struck out", "<s>old</s> is struck out"),
        ("42<end_of_turn>\n", "42"),
        ("<think>hm</think>42<\uff5cend\u2581of\u2581sentence\uff5c>", "42"),
    ],
)  # fmt: skip
def test_only_what_is_written_counts(text: str, what: str) -> None:
    assert written(text) == what


def test_the_thinking_is_kept_apart() -> None:
    both = parted("<think>first\n</think>42\n<think>second</think>")
    assert (both.thinking, both.written) == ("first\nsecond", "42")
    assert has_thinking("x</think>") and has_thinking("<|channel|>final<|message|>x") and not has_thinking("a < b")


PIECES = ["<think>", "</think>", "[THINK]", "[/THINK]", "<|channel|>analysis<|message|>", "<|im_end|>", "</s>", "a "]


MENTIONS = [*PIECES, " b", "`", " ", ". ", ", c", "\n"]


@given(st.lists(st.sampled_from(MENTIONS), max_size=30).map("".join))
def test_what_was_written_is_stable(text: str) -> None:
    once = written(text)
    assert written(once) == once


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_no_mark_is_left_of_what_is_no_sentence(text: str) -> None:
    once = written(text)
    assert "</think>" not in once and "[/THINK]" not in once


@pytest.mark.parametrize("piece", [*PIECES, "a <think> ", "<|channel|>", "<think>a</think>", "</s> a "])
def test_long_repetitions_take_no_time(piece: str) -> None:
    begun = time.process_time()
    written(piece * (200_000 // len(piece)))
    assert time.process_time() - begun < 5  # a quadratic one takes minutes
