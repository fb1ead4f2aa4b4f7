"""Labels around a problem's text: what is one, and that none moves a problem to the other side of the split."""

# ruff: noqa: RUF001 - a full-width colon is one of them
from __future__ import annotations

import time
from string import ascii_lowercase

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data import Dataset, Problem, make_grader, normal_form, same_problems, side_of, split
from pdr_dspy.data.labels import bare

SIGNATURE = dspy.Signature("p -> answer")
GRADER = make_grader("exact")
LABELS = [
    "{}. ", "{}) ", "({}) ", "**{}.** ", "Q: ", "Q{}: ", "Q. ", "Question: ", "**Question:** ", "QUESTION {} ",
    "Problem {}: ", "Problem {}. ", "Problem #{}: ", "problem no. {}: ", "## Problem {}\n", "### Question\n\n",
    "Problem {} (10 points): ", "Exercise 2.{}. ", "Task {} - ", "[Question {}] ", "Problem {}:\n", "User: ",
    "Aufgabe {}: ", "题目：", "Problem {}: Q: {}. ",
]  # fmt: skip
AROUND = [
    "<p>{}</p>", "<div class=\"q\"><p>{}</p></div>", "{}<br/>", "<b>{}</b>", "Q: {}\nA:", "Question: {}\nAnswer:",
    "{} Answer: ",
]  # fmt: skip
WORDS = st.lists(st.text(ascii_lowercase, min_size=2, max_size=8), min_size=1, max_size=6).map(
    lambda words: f"What {' '.join(words)}?"
)


@given(WORDS, st.integers(1, 500), st.sampled_from([label for label in LABELS if not label.startswith("QUESTION")]))
def test_a_label_does_not_move_a_problem(text: str, number: int, label: str) -> None:
    one, other = (Problem("1", {"problem": t}, "1") for t in (text, label.format(number, number) + text))
    assert normal_form(one) == normal_form(other) and side_of(one) == side_of(other)
    assert len(same_problems([one, other])) == 1


@given(WORDS, st.sampled_from(AROUND), st.integers(1, 99), st.sampled_from(["", "{}. ", "Problem {}: "]))
def test_tags_and_a_word_for_the_answer_do_not_move_a_problem(text: str, around: str, number: int, label: str) -> None:
    whole = around.format(label.format(number) + text)
    assert normal_form(Problem("1", {"p": whole})) == normal_form(Problem("1", {"p": text}))


@pytest.mark.parametrize(
    "text",
    [
        "1.5 + 2", "1. 5 + 2", "1. + 2", "(1) + 2", "(17)", "17: is it prime?", "problem 3", "Problem 3:", "Q", "Q: ",
        "3 - 2 = ?", "If a <b and c> d", "0 <i> j", "a < b > c", "2.5 apples", "1.", "Question 5 + 3", "Tasks: many",
        "Q is 3", "7) + (3", "5! is?", "The problem: find x", "Problem 3 apples", "Find the ratio a:", "A:", "<p></p>",
    ],
)  # fmt: skip
def test_what_is_part_of_a_problem_stays(text: str) -> None:
    assert bare(text) == text


def test_what_a_tag_or_an_entity_means_stays() -> None:
    assert bare("x<sup>2</sup> &lt; 3") == "x^2 < 3"
    assert bare("&lt;p&gt; &lt;/p&gt; tags") == "<p> </p> tags"


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.sampled_from([". ", ") ", ": ", "."]))
def test_numbers_that_no_words_follow_are_not_labels(a: int, b: int, other: int, mark: str) -> None:
    one, two = f"{a}{mark}{b} + 1", f"{other}{mark}{b} + 1"
    assert (normal_form(Problem("1", {"p": one})) == normal_form(Problem("2", {"p": two}))) == (a == other)


@given(st.text(st.sampled_from("Q1:.)( \n#*<p>/ab&;=+答。"), max_size=40))
def test_something_is_left_of_any_text(text: str) -> None:
    left = bare(text)
    assert any(char.isalnum() for char in left) or left == text


@pytest.mark.parametrize("text", ["Q: ", "<p ", "# ", "1. ", "&", "<p a=b", "A:", "[" * 9])
def test_time_grows_with_the_text(text: str) -> None:
    began = time.process_time()
    bare(text * 20_000)
    assert time.process_time() - began < 2


def test_the_second_rule_counts_labels() -> None:
    texts = [f"Problem {i}: What is {i} + 1?" for i in range(12)]
    # Sides that the second rule gave these texts.
    assert "".join(side_of(Problem("a", {"p": text}), rule=2)[0] for text in texts) == "rrssrsrrrrsr"
    search, _ = split(Dataset("d", SIGNATURE, tuple(Problem(t, {"p": t}, "1") for t in texts), GRADER), rule=2)
    assert [p.id for p in search.problems] == [t for t in texts if side_of(Problem("a", {"p": t}), rule=2) == "search"]
    plain = [Problem("a", {"p": f"What is {i} + 1?"}) for i in range(40)]
    assert [side_of(p, rule=2) for p in plain] == [side_of(p) for p in plain]
