"""What was thought is no part of what was written, whatever marks a model has."""

from __future__ import annotations

import json
import time
from itertools import product
from typing import Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.formats import adapter
from pdr_dspy.quoting import quoted
from pdr_dspy.thinking_marks import PAIRS
from pdr_dspy.workspace import ByteTokenizer, answers_workspace
from pdr_dspy.written import has_thinking, parted, written, written_in

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


MENTIONED = ["</think>", "<think>", "<|im_end|>", "<|endoftext|>", "</s>", "[/THINK]", "<|channel|>analysis<|message|>"]
WAYS = {
    "code": "A turn has `{}` in it.",
    "code at the beginning": "`{}` is it.",
    "code in bold": "It is **`{}`** then.",
    "code in brackets": "It (`{}`) is one.",
    "code with words": "Use `x = '{}' + y` for it.",
    "two in code": "Use `{} ... {}` for it.",
    "bold": "It is **{}** then.",
    "underscores": "It is __{}__ then.",
    "italics": "It is *{}*, then.",
    "quotes": 'It is "{}".',
    "quotes with words": 'Write "so {} ends" there.',
    "curly quotes": "It is \u201c{}\u201d.",
    "guillemets": "It is \u00ab{}\u00bb.",
    "corner brackets": "\u7ed3\u675f\u7528\u300c{}\u300d\u6807\u8bb0",
    "Chinese code": "\u7528`{}`\u7ed3\u675f",
    "HTML": "It is <code>{}</code> then.",
    "TeX": "It is \\texttt{{{}}} then.",
    "call": 'text.split("{}")[1]',
    "list": '["<a>", "{}"]',
    "compact list": '["{}","{}"]',
    "JSON": '{{"reasoning": "a {} ends it", "answer": "{}"}}',
    "compact JSON": '{{"answer":"{}"}}',
    "escaped in JSON": '{{"answer": "print(\\"{}\\") does it"}}',
    "cell": "| mark | does |\n|---|---|\n| {} | ends |",
    "cell with words": "| mark | does |\n|---|---|\n| the {} one | ends |",
    "cell with code": "| mark | does |\n|---|---|\n|`{}`|ends|",
    "fence": "So:\n\n```python\nprint('x', \"{}\", 1)\n```\n\nDone.",
    "fence with tildes": "So:\n\n~~~\na {} b\n~~~\n\nDone.",
    "two fences": "```\nx\n```\n\n```jinja\n{{{{ content }}}}{}{{% endif %}}\n```\n\nDone.",
    "noun": "They write the {} tag behind it.",
}


@pytest.mark.parametrize("mark", MENTIONED)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_mark_that_is_spoken_of_takes_nothing_away(way: str, mark: str) -> None:
    text = way.replace("{}", mark).replace("{{", "{").replace("}}", "}")
    assert written(text) == text
    assert written(f"<think>hm</think>\n\n{text}\n\n{ANSWER}<|im_end|>") == f"{text}\n\n{ANSWER}"
    assert written(f"hm</think>\n{text}") == text


def test_an_example_of_a_whole_turn_in_a_block_is_kept() -> None:
    turn = "<|im_start|>assistant\n<think>\nhm\n</think>\n\nHello<|im_end|>"
    text = f"So:\n```\n{turn}\n```\nand `<think>x</think>` too."
    assert written(text) == text and parted(text).thinking == ""
    assert written(f"<think>use `</think>` then\n</think>\n{text}<|im_end|>") == text


CUT = {
    "in a block": "```python\nx = 1",
    "in a bare block": "```\nx = 1",
    "at the end of a line of a block": "```\nx = 1\n",
    "behind a block": "```\nx = 1\n```\n",
    "in code": "so `x = 1",
    "in a quotation": 'he says "so 7',
    "in bold": "so **it is 7",
    "behind code": "so it is `7`",
    "behind code and a point": "so it is `7`.",
    "behind bold": "so it is **7**",
    "behind a quotation": 'so it is "7"',
    "in JSON": '{"answer": "7',
    "behind JSON": '{"answer": "7"',
    "in brackets": "so it is (7",
    "in a row": "| a | b |\n|---|---|\n| 1 | 2 |",
    "in a cell": "| a | b |\n|---|---|\n| 1 | 2",
    "in a word": "so it is the",
    "in TeX": "so $x = \\text{seven",
}
LAST = {
    "a number": "42",
    "code": "`42`",
    "code and words": "`42` is it",
    "bold": "**42**",
    "quotes": '"42"',
    "quotes and words": '"42" is "it".',
    "brackets": "(B)",
    "JSON": '{"answer": "42"}',
    "a block": "```python\n42\n```",
    "a bare block": "```\n42\n```",
    "two blocks": "```\n42\n```\nor\n```\n43\n```",
    "a row": "| a | b |\n|---|---|\n| 42 | 43 |",
    "words": "The answer is 42.",
    "small words": "so it is `42`, the one.",
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT.keys())
def test_no_thinking_that_is_cut_anywhere_leaks_into_an_answer(cut: str) -> None:
    for opening, line, last in product(("", "<think>\n"), ("{}", "\n{}\n\n", " {} ", "\n{}"), LAST.values()):
        text = f"{opening}Let me see.\n\n{cut}{line.format('</think>')}{last}"
        assert written(text) == last and "Let me see" in parted(text).thinking, text


def test_a_value_that_was_taken_out_of_its_quotes_loses_nothing() -> None:
    assert written_in("They end with </think> and go on") == "They end with </think> and go on"
    assert written_in("answer: </think>") == "answer: </think>"
    assert written_in("A turn ends with <|im_end|> there") == "A turn ends with <|im_end|> there"
    assert written_in("<think>hm</think>42<|im_end|>\n") == "42"
    assert written_in("<think>never ends") == ""


@pytest.mark.parametrize("form", ["json", "markers", "xml", "plain"])
def test_a_draft_that_speaks_of_a_mark_is_read_whole(form: Any) -> None:
    signature = dspy.Signature("question -> answer")
    said = {
        "json": json.dumps({"answer": "Write </think> then <|im_end|> there."}),
        "markers": "[[ ## answer ## ]]\nWrite `</think>` then `<|im_end|>` there.\n\n[[ ## completed ## ]]",
        "xml": "<answer>Write `</think>` then `<|im_end|>` there.</answer>",
        "plain": "Answer: Write `</think>` then `<|im_end|>` there.",
    }
    answer = str(adapter(form).parse(signature, f"<think>hm</think>\n{said[form]}<|im_end|>")["answer"])
    assert answer.replace("`", "") == "Write </think> then <|im_end|> there."
    shown = answers_workspace([f"answer: {answer}"], 1000, ByteTokenizer())
    assert shown.replace("`", "") == "1. answer: Write < /think> then < |im_end|> there."


MODELS = [(pair.opening, pair.closing) for pair in PAIRS]
FIELDS = ("solution", "answer")


@pytest.mark.parametrize(("opening", "closing"), MODELS, ids=[pair.opening for pair in PAIRS])
def test_every_models_thinking_is_taken_away(opening: str, closing: str) -> None:
    def said(text: str) -> tuple[str, str]:
        both = parted(text, FIELDS)
        return both.thinking, both.written

    assert said(f"{opening}\nhm 7\n{closing}\n\n{ANSWER}") == ("hm 7", ANSWER)
    assert said(f"hm 7\n{closing}\n\n{ANSWER}") == ("hm 7", ANSWER)  # the template opened it
    assert said(f"{opening}\nhm 7, no, ") == ("hm 7, no,", "")  # cut off
    assert said(f"Well.\n{opening}\nhm 7") == ("hm 7", "Well.")
    assert said(f"{opening}a\n{opening}b{closing}c{closing}{ANSWER}") == ("a\nb\nc", ANSWER)
    mentioned = f"I end it by `{closing}`, and"
    assert said(f"{opening}{mentioned}\n{closing}\n{ANSWER}") == (mentioned, ANSWER)
    assert said(f"{opening}hm{closing}Use `{opening}` and `{closing}`.") == ("hm", f"Use `{opening}` and `{closing}`.")
    text = f"Between `{opening}` and `{closing}` stands what is thought:\n```\n{opening}\nhm\n{closing}\n```"
    assert said(text) == ("", text)
    assert has_thinking(f"x {opening}", FIELDS) and has_thinking(f"x {closing}", FIELDS)
    assert quoted(f"a {opening} b {closing}") != f"a {opening} b {closing}"


@pytest.mark.parametrize("tag", [pair.field for pair in PAIRS if pair.field])
def test_the_tags_of_a_field_are_no_thinking(tag: str) -> None:
    text = f"<{tag}>\n6 * 7\n</{tag}>\n<answer>42</answer>"
    assert written(text, (tag.upper(), "answer")) == text
    assert written(text) == text  # who knows
    assert written(text, ("answer",)) == "<answer>42</answer>"
    assert written(text.replace(tag, tag.title()), ("answer",)) == "<answer>42</answer>"
    assert written(f"a List<{tag}> of them", ("answer",)) == f"a List<{tag}> of them"


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        ("Here is my thought process: 6 * 7.\n\nHere is my response: 42", "6 * 7."),
        ("Here's my thought process:\n6 * 7.\nHere's my response:\n42", "6 * 7."),
        ("<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>42<|END_RESPONSE|>", "hm"),
        ("<|begin_of_thought|>hm<|end_of_thought|>\n\n<|begin_of_solution|>\n42\n<|end_of_solution|>", "hm"),
        ("<|open|>think<|sep|>hm<|close|>think<|sep|><|open|>response<|sep|>42<|close|>response<|sep|>", "hm"),
        ("<|channel>thought\n<channel|>42<turn|>", ""),
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>42",
            "hm",
        ),
        ("hm</think>42[|endofturn|]", "hm"),
    ],
)
def test_what_stands_around_an_answer_is_no_part_of_it(text: str, thought: str) -> None:
    both = parted(text)
    assert (both.thinking, both.written) == (thought, "42")


@pytest.mark.parametrize("text", ["Here is my thought process: 6 * 7 = 42", "Of `<|END_RESPONSE|>` they speak."])
def test_what_only_looks_like_it_is_kept(text: str) -> None:
    assert written(text) == text


def test_the_thinking_is_kept_apart() -> None:
    both = parted("<think>first\n</think>42\n<think>second</think>")
    assert (both.thinking, both.written) == ("first\nsecond", "42")
    assert has_thinking("x</think>") and has_thinking("<|channel|>final<|message|>x") and not has_thinking("a < b")


PIECES = ["<think>", "</think>", "[THINK]", "[/THINK]", "<|channel|>analysis<|message|>", "<|im_end|>", "</s>", "a "]


MENTIONS = [*PIECES, " b", "`", " ", ". ", ", c", "\n", "```", '"', "**", "(", ")", "| ", "the ", " tag"]


@given(st.lists(st.sampled_from(MENTIONS), max_size=30).map("".join))
def test_what_was_written_is_stable(text: str) -> None:
    for read in (written, written_in):
        once = read(text)
        assert read(once) == once


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_no_mark_is_left_of_what_is_no_sentence(text: str) -> None:
    once = written(text)
    assert "</think>" not in once and "[/THINK]" not in once


@pytest.mark.parametrize(
    "piece",
    [
        *PIECES,
        "a <think> ",
        "<|channel|>",
        "<think>a</think>",
        "</s> a ",
        "`</think>`",
        "```\n</think> x\n",
        '"</s>',
        "| </s> |\n",
    ],
)
def test_long_repetitions_take_no_time(piece: str) -> None:
    begun = time.process_time()
    written(piece * (200_000 // len(piece)))
    assert time.process_time() - begun < 5  # a quadratic one takes minutes


@pytest.mark.parametrize("gap", ["", "\n", "\n\n"])
@pytest.mark.parametrize(("opening", "closing"), [("<think>", "</think>"), ("[THINK]", "[/THINK]")])
def test_a_thinking_that_is_opened_twice_and_closed_once_hides_no_answer(opening: str, closing: str, gap: str) -> None:
    twice = opening + gap + opening + gap
    assert written(f"{twice}seven?{closing}{gap}8") == "8"
    assert written(f"{twice}{closing}{gap}8") == "8"
    assert written(f"{twice}seven?{closing} no{closing}{gap}8") == "8"  # closed twice as well
    assert written(f"{opening}one{opening}seven?{closing} no") == ""  # cut off in the outer one, as it seems
    assert written(f"{twice}seven") == ""
