"""What a person calls the same problem, and what is nearly the same one."""

# ruff: noqa: RUF001 - characters that look alike are what this is about
from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pdr_dspy.data import Problem, normal_form, same_problems
from pdr_dspy.data.wording import normal_text

STORY = "Anna walks to the old market with {} coins and buys {} apples for her sister, who lives in the next village."


def problem(text: str, answer: str | None = "1", **more: object) -> Problem:
    return Problem("p", {"problem": text}, answer, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3+4?", "  what is\n3 + 4 "),
        ("What is $3+4$?", "**What** is \\(3 + 4\\)."),
        ("Café or naïve?", unicodedata.normalize("NFD", "Café or naïve")),
        ("Is x² ≤ 1,000?", "Is $x^{2} \\leq 1000$?"),
        ("Take −3 × 4 – quickly", "take -3 \\cdot 4 - quickly"),
        ("What is 3*4?", "What is 3 * 4"),
        ("What is 3×4?", "What is $3 \\times 4$"),
        ("Find \\dfrac{1}{2} of it.", "Find $\\frac{1}{2}$ of it"),
        ("What’s the “sum”?", 'What\'s the "sum"?'),
        ("# Title\n- one\n- two", "Title\none\ntwo."),
        ("ｆｕｌｌ　ｗｉｄｔｈ １２", "full width 12"),
        ("zero\u200bwidth", "zerowidth"),
    ],
)
def test_ways_to_write_a_problem_down_do_not_count(one: str, other: str) -> None:
    assert normal_text(one) == normal_text(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3+4?", "What is 3+5?"),
        ("What is 3+4?", "What is 3-4?"),
        ("What is 3+4?", "What is 34?"),
        ("What is 1 2?", "What is 12?"),
        ("f(x) < 3", "f(x) > 3"),
        ("##.#\n#..#", "#..#\n##.#"),
        ("( [ ) ]", "( [ ] )"),
        ("...", "!!!"),
    ],
)
def test_numbers_signs_and_drawings_count(one: str, other: str) -> None:
    assert normal_text(one) != normal_text(other)


@given(st.text())
@example("*~0")
def test_a_normal_form_is_blind_to_white_space_and_there_for_any_text(text: str) -> None:
    assert normal_text(f" {text}\n") == normal_text(text)
    assert (normal_text(text) == "") == (not normal_text(text).strip())


def test_names_and_order_of_columns_do_not_count() -> None:
    one = Problem("1", {"question": "Who?", "context": "Anna is here."})
    assert normal_form(one) == normal_form(Problem("2", {"passage": "anna is here", "query": "who", "hint": ""}))


def test_options_count_in_any_order_and_wherever_they_stand() -> None:
    stem = "Which one is prime?"
    forms = {
        normal_form(problem(text, "B", options=options))
        for text, options in (
            (stem, ("4", "5", "six")),
            (f"{stem}\nA) 4\nB) 5\nC) six", ("4", "5", "six")),
            (f"{stem}\n\nOptions:\n(A) six\n(B) 5\n(C) 4", ("six", "5", "4")),
            (f"{stem} Choices: A. 5 B. six C. 4", ("5", "six", "4")),
        )
    }
    assert len(forms) == 1
    assert normal_form(problem(stem, "B", options=("4", "7", "six"))) not in forms


def groups(*problems: Problem) -> set[frozenset[int]]:
    return {frozenset(group) for group in same_problems(problems)}


def test_one_word_more_less_or_another_is_near() -> None:
    text = STORY.format(12, 3)
    near = [text, text.replace("old ", ""), text.replace("apples", "pears"), text.replace("next", "next small")]
    assert groups(*map(problem, near)) == {frozenset(range(4))}


def test_other_numbers_another_answer_or_other_words_are_not_near() -> None:
    text = STORY.format(12, 3)
    found = groups(
        problem(text),
        problem(STORY.format(12, 4)),
        problem(STORY.format("twelve", "three")),
        problem(STORY.format("twelve", "four")),
        problem(text.replace("apples", "pears"), "2"),
        problem("Tom has 12 boxes. He gives away 3 of them before his train leaves the station at noon."),
    )
    assert all(len(group) == 1 for group in found)


def test_a_choice_whose_options_change_places_has_the_same_answer() -> None:
    text = STORY.format(12, 3)
    one = problem(text, "A", options=("nine", "eight"))
    other = problem(text.replace("apples", "pears"), "B", options=("eight", "nine"))
    assert groups(one, other) == {frozenset({0, 1})}
    assert len(groups(one, problem(text.replace("apples", "pears"), "A", options=("eight", "nine")))) == 2


def test_templates_are_not_copies() -> None:
    rule = "Read the statement below with care, think about it, then say whether it is true, with yes or no only: "
    rng = random.Random(0)
    nouns = ["".join(rng.choices("bcdfgaeiou", k=6)) for _ in range(400)]
    told = [problem(f"{rule}{rng.choice(nouns)} likes {rng.choice(nouns)}.", rng.choice(["yes", "no"])) for _ in nouns]
    assert max(map(len, same_problems(told))) <= 3
    values = [problem("Evaluate: " + " and ".join(rng.choices(["true", "false"], k=9)), "false") for _ in range(400)]
    assert max(map(len, same_problems(values))) <= 400 / 10
    assert len(same_problems([problem(f"What is {i} + {j}?") for i in range(20) for j in range(20)])) == 400


def test_few_problems_of_a_template_are_not_one_group() -> None:
    rule = "Read the statement below with care, think about it, then say whether it is true, with yes or no only: "
    told = [problem(rule + word, "yes") for word in ("bread", "fish", "tea", "salt", "rice", "corn", "milk")]
    assert len(same_problems(told)) == 7


@given(st.permutations(range(12)))
def test_groups_do_not_depend_on_the_order(order: list[int]) -> None:
    text = STORY.format(12, 3)
    texts = [text, text + " ", text.replace("old", "new"), *(STORY.format(i, i) for i in range(9))]
    problems = [problem(t) for t in texts]
    found = {frozenset(order[i] for i in group) for group in same_problems([problems[number] for number in order])}
    assert found == groups(*problems) and frozenset({0, 1, 2}) in found
