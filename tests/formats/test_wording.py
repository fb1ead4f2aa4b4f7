"""How models word what they say: the right part of it is read, in whatever format was asked for."""

from __future__ import annotations

from typing import Any, Literal

import dspy
import pytest
from dspy.utils.exceptions import AdapterParseError

from pdr_dspy.formats import MARKS, adapter, collecting
from pdr_dspy.formats.coerce import lenient
from pdr_dspy.modules.signatures import stage_signature
from pdr_dspy.workflow import FORMATS, Format

CODE = "def f(x):\n    y = x + 1\n    return y"
MATRIX = "$\\begin{pmatrix}\n1 & 2\\\\\n3 & 4\\end{pmatrix}$"


def parse(text: str, form: Format = "plain", signature: str = "problem -> answer") -> dict[str, Any]:
    found: dict[str, Any] = adapter(form).parse(stage_signature(dspy.Signature(signature), "draft", "x", False), text)
    return found


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("work\n**Answer: 42**", "42"),
        ("Therefore, the answer is:\n\n\\[\n42\n\\]", "42"),
        ("So the answer is **42**, which is even.", "42"),
        ("The answer: 42, because 6 * 7 is that.", "42"),
        ("The answer is the set of primes p where p+2 is prime.", "the set of primes p where p+2 is prime"),
        ("The answer is 41. Wait, no. The answer is 42.", "42"),
        ("Answer: 5\nAnswer: 6\nFinal Answer: 7", "7"),
        ("42\n\nI hope this helps!", "42"),
        ("The sum is 42.\n\nLet me know if you have questions.", "42"),
        ("The answer is Dr. Smith.", "Dr. Smith"),
        ("x = 3 or x = 5", "x = 3 or x = 5"),
        ("x = 3, y = 4", "x = 3, y = 4"),
        ("a <= 5", "a <= 5"),
        ("1 + 2 = 2 + 1 = 3", "3"),
        ("Antwort: 42", "42"),
        ("\u7b54\u6848\uff1a42", "42"),
        ("R\u00e9ponse : 42", "42"),
        ("work\nAns: 42", "42"),
        ('{"Answer": "42"}', "42"),
        ('{"final_answer": "42"}', "42"),
        ("I will find out what the answer is:\nStep 1: 2 + 3\n\nSo 42", "So 42"),
        ("Answer:\n```\n42\n```", "42"),
        ("Answer: ...\nwork\nAnswer: 42", "42"),
        (f"Answer: {MATRIX}", MATRIX),
        ('The answer to the question "What is the capital of Kenya?" is Nairobi.', "Nairobi"),
        ("The answer to \u201cWhat is 2 + 3?\u201d is: **5**", "5"),
        ("The answer to the question What is 2 + 3? is 5.", "5"),
        ("The answer to this question is 42. Why? Is it because 6 * 7 is 42? It is.", "42"),
        ("The capital of Kenya is **Nairobi**", "Nairobi"),
        ("5 + 6 = 11\n\nThe answer is correct.", "11"),
        ("The answer is 42.\nLet me check: 6 * 7 = 42.\nSo the answer is correct.", "42"),
        ("It is 5.\nThe solution is consistent with the problem.", "5"),
        ("So the answer is indeed **42**.", "42"),
        ("The statement holds. The answer is correct.", "correct"),
        ("2 + 1 = 3\n\nThe final answer is `Answer: 3`.", "3"),
        ("The capital of Kenya is **Nairobi** and the capital of Kenya is **Nairobi**.", "Nairobi"),
    ],
)  # fmt: skip
def test_the_right_part_of_a_sentence_is_read(text: str, answer: str, form: Format) -> None:
    assert parse(text, form)["answer"] == answer


@pytest.mark.parametrize(
    "text",
    [
        "I\u2019m sorry, but I can\u2019t assist with that.", "I'm unable to assist.", "I do not know.",
        "As a language model, I can't do this.", "This request violates my guidelines.", "Answer: ...",
        "Answer: <answer>", "work\nAnswer: [your answer]", "work\nAnswer:", '{"solution": "w", "answer": ""}',
        '{"solution": "w", "answer": null}', "[[ ## solution ## ]]\nw\n\n[[ ## answer ## ]]\n\n[[ ## completed ## ]]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", FORMATS)
def test_a_refusal_a_placeholder_and_nothing_are_no_answer(text: str, form: Format) -> None:
    with pytest.raises(AdapterParseError):
        parse(text, form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_helper_that_refuses_has_written_no_summary(form: Format) -> None:
    distill = stage_signature(dspy.Signature("problem -> answer"), "distill", "x", False)
    with pytest.raises(AdapterParseError):
        adapter(form).parse(distill, "I\u2019m sorry, but I can\u2019t help with that.")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "text",
    [
        f"I add one.\n\nCode:\n```python\n{CODE}\n```",
        f"Code:\n{CODE}",
        f"Here:\n```python\n{CODE}\n```\nIt adds one.",
    ],
)
def test_code_and_prose_are_read_whole(text: str, form: Format) -> None:
    assert CODE in parse(text, form, "problem -> code")["code"]


def test_prose_goes_on_and_a_short_value_does_not() -> None:
    essay = "First paragraph is here.\n\nSecond paragraph."
    assert parse(f"Essay: {essay}", "plain", "topic -> essay")["essay"] == essay
    assert parse("- a\n- b\n- c", "plain", "text -> summary")["summary"] == "- a\n- b\n- c"
    both = parse("Answer: 5\nUnit: cm\n\nI hope this helps!", "plain", "q -> answer, unit")
    assert (both["answer"], both["unit"]) == ("5", "cm")


def test_latex_keeps_its_backslashes_in_json() -> None:
    for text, answer in [
        ('{"solution": "w", "answer": "\\frac{1}{2}"}', "\\frac{1}{2}"),
        ('{"solution": "w", "answer": "\\\\frac{1}{2}"}', "\\frac{1}{2}"),
        ('{"solution": "w", "answer": "\\beta + \\theta"}', "\\beta + \\theta"),
        ('{"solution": "w", "answer": "\\boxed{7} \\times 2"}', "\\boxed{7} \\times 2"),
    ]:
        with collecting() as notes:
            assert parse(text, "json")["answer"] == answer
        assert notes == [MARKS]


@pytest.mark.parametrize(
    ("kind", "text"),
    [(int, "$\\frac12$"), (int, "\\sqrt{2}"), (float, "2\\pi"), (int, "about 5 million"), (float, "NaN"),
     (int, "I'm not sure but chapter 3 says so"), (Literal["A", "B"], "not A"), (bool, "Not true")],
)  # fmt: skip
def test_a_formula_is_no_number_and_a_doubt_no_choice(kind: Any, text: str) -> None:
    with pytest.raises(ValueError):
        lenient(text, kind)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [(float, "\\frac{1}{2}", 0.5), (bool, "True, because x is odd", True), (bool, "Yes, it is.", True),
     (Literal["A", "B"], "So it's B.", "B"), (Literal["yes", "no"], "I would say yes", "yes"),
     (list[str], "Paris, France; Rome, Italy", ["Paris, France", "Rome, Italy"])],
)  # fmt: skip
def test_a_value_in_a_short_phrase_is_found(kind: Any, text: str, value: Any) -> None:
    assert lenient(text, kind) == value


def test_what_is_closed_in_a_text_that_was_cut_off_is_whole() -> None:
    from pdr_dspy.formats import read

    draft = stage_signature(dspy.Signature("problem -> answer"), "draft", "x", False)
    for text in ("<solution>w</solution><answer>42</answer>step step", '{"solution": "w", "answer": "42", "more": "st'):
        assert read(draft, text, finished=False)[0]["answer"] == "42"


def test_a_demonstration_shows_only_what_it_has() -> None:
    draft = stage_signature(dspy.Signature("problem -> answer"), "draft", "x", False)
    messages = adapter("plain").format(draft, [{"problem": "1+1?", "answer": "2"}], {"problem": "2+2?"})
    assert messages[1] == {"role": "assistant", "content": "Answer: 2"}


def test_history_is_told_as_it_was_in_every_stage() -> None:
    signature = dspy.Signature("question, history: dspy.History -> answer", custom_types={"dspy.History": dspy.History})
    history = dspy.History(messages=[{"question": "1+1?", "answer": "2"}])
    for stage, own in (("draft", {}), ("distill", {"drafts": "d", "limit": 64})):
        made = stage_signature(signature, stage, "Do it.", False)  # type: ignore[arg-type]
        messages = adapter("plain").format(made, [], {"question": "2+2?", "history": history, **own})
        assert [m["role"] for m in messages] == ["user", "assistant", "user"]
        assert (messages[0]["content"], messages[1]["content"]) == ("1+1?", "2")
