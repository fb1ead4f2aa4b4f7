"""What models write, in every spelling, and what is read in it."""

from __future__ import annotations

import datetime
import enum
import time
from contextlib import suppress
from typing import Any, Literal

import dspy
import pydantic
import pytest
from dspy.utils.exceptions import AdapterParseError
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.answers.boxed import last_boxed
from pdr_dspy.formats import MARKS, Unread, adapter, collecting, read
from pdr_dspy.formats.coerce import lenient
from pdr_dspy.modules.signatures import stage_signature
from pdr_dspy.workflow import FORMATS, Format

PLAIN_ANSWER = dspy.Signature("problem -> answer")
DRAFT = stage_signature(PLAIN_ANSWER, "draft", "Solve it.", False)
S, A, C = "[[ ## solution ## ]]\nwork\n\n", "[[ ## answer ## ]]\n", "\n\n[[ ## completed ## ]]"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Item(pydantic.BaseModel):
    name: str
    n: int


def parse(text: str, form: Format = "markers", signature: type[dspy.Signature] = DRAFT) -> tuple[dict[str, Any], str]:
    with collecting() as notes:
        fields = adapter(form).parse(signature, text)
    (how,) = notes
    return fields, how


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("text", "how"),
    [
        (S + A + "42" + C, "spelling"),
        ("[[ ## answer ## ]] 42", "spelling"),
        ("work so 42.[[ ## answer ## ]]\n42[[ ## completed ## ]]", "spelling"),
        ("[## answer ##]\n42", "spelling"),
        ("[[##solution##]]\nwork\n\n[[##answer##]]\n42\n[[##completed##]]", "spelling"),
        ("**[[ ## solution ## ]]**\nwork\n\n**[[ ## answer ## ]]**\n42\n\n**[[ ## completed ## ]]**", "spelling"),
        ("## solution ##\nwork\n\n## answer ##\n42", "spelling"),
        ("### Solution\nwork\n\n### Final answer\n42", "spelling"),
        ("work\n**Answer:** 42", "spelling"),
        ("work\n**Answer**: 42\n\nI hope this helps!", "spelling"),
        ("work\nFinal Answer: 42", "spelling"),
        ("work\n- answer: 42", "spelling"),
        ("work\n<answer>42</answer>", "spelling"),
        ("work\n<answer>\n42\n</answer>\nDone.", "spelling"),
        ('Here it is:\n```json\n{"solution": "work", "answer": "42"}\n```', "spelling"),
        ("Answer: 7\nWait, no.\nAnswer: 42", "spelling"),
        ("so \\boxed{42}.", "boxed"),
        ("First \\boxed{7}, then \\boxed{42}. That is all.", "boxed"),
        ("work\n\nThe answer is 42.", "answer is"),
        ("The answer to this question is 42.\n\nLet me explain why.", "answer is"),
        ("The answer is 7. Wait.\nSo the final answer is: **42**.", "answer is"),
        ("9 + 33 = 42", "last line"),
        ("work\n\nSo there are 42", "last line"),
        ("work\n\n42", "last line"),
        ("The number is 42.", "last line"),
        ("<think>Answer: 7</think>Answer: 42<|im_end|>", "spelling"),
        ("[THINK]The answer is 7[/THINK]The answer is 42.", "answer is"),
    ],
)
def test_the_answer_is_found_in_every_format(text: str, how: str, form: Format) -> None:
    fields, read_as = parse(text, form)
    assert lenient(fields["answer"], int) == 42
    assert read_as in (how, MARKS)
    assert fields["solution"].strip()


OWN: dict[Format, str] = {
    "plain": "work\nAnswer: 42",
    "markers": S + A + "42" + C,
    "json": '{"solution": "work", "answer": "42"}',
    "xml": "<solution>\nwork\n</solution>\n\n<answer>\n42\n</answer>",
}


@pytest.mark.parametrize("form", FORMATS)
def test_only_the_format_s_own_marks_are_not_lenient(form: Format) -> None:
    for other, text in OWN.items():
        assert parse(text, form) == ({"solution": "work", "answer": "42"}, MARKS if other == form else "spelling")


def test_a_longer_answer_behind_a_statement_is_what_it_states() -> None:
    for text, value in [
        ("The capital of France is Paris.", "Paris"),
        ("9 + 8 = 17", "17"),
        ("Therefore the roots are 2 and 3.", "2 and 3"),
        ("It depends on who you ask and on the weather over there", None),
        ("The name is **Lily**.", "Lily"),
    ]:
        assert parse(text)[0]["answer"] == (value or text)


@pytest.mark.parametrize(
    "text", ["", "  \n", "I'm sorry, I can't help with that.", "I cannot.", "x " * 400, "[[ ## answer ## ]]\n{answer}"]
)
def test_what_has_no_answer_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(AdapterParseError) as caught:
        parse(text)
    assert caught.value.lm_response == text


def test_of_a_completed_answer_what_follows_does_not_count() -> None:
    again = f"{S}{A}42{C}\n\n[[ ## problem ## ]]\nAnother?\n\n{S}{A}7{C}"
    assert parse(again) == ({"solution": "work", "answer": "42"}, MARKS)
    placeholders = f"[[ ## solution ## ]]\n{{solution}}\n\n{A}{{answer}}{C}\n\n{S}{A}42{C}"
    assert parse(placeholders) == ({"solution": "work", "answer": "42"}, MARKS)
    assert parse(f"{S}{A}7\n\nWait, redo.\n\n{S}{A}42{C}")[0]["answer"] == "42"


def test_an_answer_that_was_cut_off_is_read_only_where_it_is_whole() -> None:
    assert read(DRAFT, "Answer: 42\nNow I will", finished=False)[0]["answer"] == "42"
    assert read(DRAFT, "so \\boxed{42}", finished=False)[0]["answer"] == "42"
    assert read(DRAFT, "The answer is 39.\n\nThe answer is 39.\n\nThe answer is 3", finished=False)[0]["answer"] == "39"
    for text in ("work\nAnswer: 4", "so \\boxed{4", "work and more work", "The answer is 4"):
        with pytest.raises(Unread):
            read(DRAFT, text, finished=False)


def test_a_single_text_takes_the_whole_text() -> None:
    distill = stage_signature(PLAIN_ANSWER, "distill", "Distil.", False)
    for form in FORMATS:
        assert parse("Notes: three drafts say 42.\nOne says 7.", form, distill)[0] == {
            "workspace": "Notes: three drafts say 42.\nOne says 7."
        }
        assert parse("<think>hm</think>[[ ## workspace ## ]]\nnotes\n[[ ## completed ## ]]", form, distill)[0] == {
            "workspace": "notes"
        }
    assert parse("notes", "plain", distill)[1] == MARKS


@pytest.mark.parametrize(
    "text", ["Picks: 3, 1", "[3, 1]", "Draft 3 is best, then draft 1.", "**Picks:** [3, 1]", "3\n1", "(3, 1)"]
)
def test_picks_are_read_from_prose(text: str) -> None:
    pick = stage_signature(PLAIN_ANSWER, "pick", "Pick.", False)
    assert parse(text, "plain", pick)[0] == {"picks": [3, 1]}


def test_several_values_each_have_a_mark_or_the_draft_is_refused() -> None:
    several = stage_signature(dspy.Signature("q -> answer, unit: str, sure: bool"), "draft", "Solve.", False)
    fields, how = parse("work\nAnswer: 42\n**Unit:** cm\nSure: yes", "plain", several)
    assert (fields["answer"], fields["unit"], fields["sure"], how) == ("42", "cm", True, "spelling")
    with pytest.raises(AdapterParseError, match="'unit'"):
        parse("The answer is 42", "plain", several)
    optional = stage_signature(dspy.Signature("q -> answer, unit: Optional[str]"), "draft", "Solve.", False)
    assert parse("Answer: 42", "plain", optional)[0]["unit"] is None


def test_lists_over_several_lines_belong_to_the_answer_and_chatter_does_not() -> None:
    assert parse("Answer: A: 7 * 4\nB: 5 + 2\n", "plain")[0]["answer"] == "A: 7 * 4\nB: 5 + 2"
    assert parse("Answer: 42\nLet me know if you need more.", "plain")[0]["answer"] == "42"
    assert parse("Answer:\n42\n\nThat is it.", "plain")[0]["answer"] == "42"


TYPED: list[tuple[Any, Any, list[str]]] = [
    (
        int,
        42,
        ["42", "42.", "**42**", "$42$", "\\boxed{42}", "42.0", "```\n42\n```", '"42"', "42 apples", "answer: 42"],
    ),
    (int, 1024, ["1,024", "1024", "1,024 m"]),
    (int, -3, ["-3", "\u22123", "$-3$"]),
    (float, 4.5, ["4.5", "9/2", "**4.5**", "4.5 cm", "$4.5$"]),
    (float, 1000.0, ["1e3", "1,000", "1000"]),
    (bool, True, ["True", "true", "yes", "Yes.", "**True**", "1", "```\nTrue\n```"]),
    (bool, False, ["False", "no", "No."]),
    (Literal["A", "B"], "A", ["A", "'A'", "(A)", "A.", "**A**", "a", "A) first", "`A`", "Option A", "A: first", "[A]"]),
    (Literal[1, 2], 1, ["1", "**1**", "1."]),
    (Color, Color.RED, ["red", "RED", "Color.RED", "'red'", "Red", "**red**"]),
    (int | None, 42, ["42", "42."]),
    (int | None, None, ["None", "null", "N/A"]),
    (list[int], [1, 2], ["[1, 2]", "1, 2", "```json\n[1, 2]\n```", "[1, 2].", "1. 1\n2. 2", "(1, 2)", "{1, 2}"]),
    (list[str], ["a", "b"], ['["a", "b"]', "- a\n- b", "a, b"]),
    (Item, Item(name="a", n=1), ['{"name": "a", "n": 1}', 'Here:\n{"name": "a", "n": 1}']),
    (list[Item], [Item(name="a", n=1)], ['[{"name": "a", "n": 1}]', '{"name": "a", "n": 1}']),
    (datetime.date, datetime.date(2024, 5, 1), ["2024-05-01", '"2024-05-01"', "May 1, 2024"]),
    (dict[str, int], {"a": 1}, ['{"a": 1}', "```json\n{'a': 1}\n```"]),
]


@pytest.mark.parametrize(("kind", "value", "text"), [(k, v, t) for k, v, texts in TYPED for t in texts])
def test_a_typed_value_is_read_through_its_decoration(kind: Any, value: Any, text: str) -> None:
    assert lenient(text, kind) == value
    typed = stage_signature(dspy.Signature({"q": (str, dspy.InputField()), "answer": (kind, dspy.OutputField())}),
                            "draft", "Solve.", False)  # fmt: skip
    assert parse(f"{S}{A}{text}{C}", "plain", typed)[0]["answer"] == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [(int, "forty"), (int, "3 or 4"), (int, "4.5"), (float, "4,5"), (Literal["A", "B"], "A or B"), (Color, "green"),
     (Item, "none"), (bool, "maybe"), (list[int], "none")],
)  # fmt: skip
def test_what_is_not_of_its_type_or_could_be_two_things_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(ValueError):
        lenient(text, kind)


def test_the_last_closed_box() -> None:
    assert last_boxed("\\boxed{1} \\boxed{\\frac{1}{2}} \\boxed{3") == "\\frac{1}{2}"
    assert last_boxed("\\boxed{a \\{ b} c") == "a \\{ b"
    assert last_boxed("\\fbox{5}") == "5" and last_boxed("no box") is None
    assert last_boxed("\\boxed{\\boxed{7}}") == "\\boxed{7}"


@given(st.sampled_from(FORMATS), st.text(max_size=300))
def test_no_text_breaks_a_parser(form: Format, text: str) -> None:
    try:
        fields = adapter(form).parse(DRAFT, text)
    except AdapterParseError:
        return
    assert set(fields) == {"solution", "answer"}


@pytest.mark.parametrize(
    "piece",
    ["\\boxed{", "[[ ## answer ## ]]\n", "Answer: ", "Answer: 4\n", "the answer is ", "{", "[", '{"answer": ', "= ",
     "is ", "<answer>", "**", "\\", "## answer\n", "1,", "$"],
)  # fmt: skip
@pytest.mark.parametrize("form", FORMATS)
def test_hostile_repetition_takes_no_time(form: Format, piece: str) -> None:
    begun = time.process_time()
    with suppress(AdapterParseError):
        adapter(form).parse(DRAFT, piece * (20_000 // len(piece)))
    assert time.process_time() - begun < 5
