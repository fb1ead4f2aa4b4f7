"""What stays apart that differs in a letter or a mark, and what is one answer however a chat model sets it out."""

from __future__ import annotations

from typing import Any

import pytest

from pdr_dspy.data import Problem, make_grader

SPEEDS = ("12 m/s", "15 m/s", "20 m/s")

NAMES = {  # reference: what names the same, what does not
    "Williams": (["williams", "Williams."], ["William", "Williamss"]),
    "Smith": (["smith"], ["Smiths"]),
    "New York": (["new york", "the New York"], ["News York", "New Yorks"]),
    "Kevin Powers": (["kevin powers"], ["Kevin Power"]),
    "1960s": (["the 1960s"], ["1960"]),
    "Vitamin A": (["vitamin a", "the vitamin A"], ["Vitamin", "a vitamin"]),
    "Hepatitis A virus": (["the Hepatitis A virus"], ["Hepatitis virus"]),
    "Plan A": (["Plan A."], ["the plan", "plan"]),
    "Group A": (["group A"], ["Groups", "Group"]),
    "Once Upon a Time": (["once upon a time", "Once Upon A Time"], ["Once Upon Times"]),
    "the Beatles": (["Beatles", "The Beatles"], ["the Beatle"]),
    "two real solutions": (["Two real solution"], ["two solutions"]),
    "O": (["o"], ["O-", "O+"]),
    "?": (["?"], ["!", "the", r"\boxed{}"]),
    "a": (["A"], ["the", "an"]),
}


async def right(kind: str, reference: str | tuple[str, ...], answer: str, options: tuple[str, ...] = ()) -> bool:
    answers = (reference,) if isinstance(reference, str) else reference
    problem = Problem("p", {"q": ""}, answers[0], options, answers if len(answers) > 1 else ())
    return bool(await make_grader(kind).grade(problem, {"answer": answer}))


def rows(table: dict[Any, tuple[list[str], list[str]]]) -> list[tuple[Any, str, bool]]:
    return [
        (key, each, same)
        for key, sides in table.items()
        for same, side in zip((True, False), sides, strict=True)
        for each in side
    ]


@pytest.mark.parametrize(("reference", "answer", "same"), rows(NAMES))
async def test_a_letter_or_a_mark_makes_another_name(reference: str, answer: str, same: bool) -> None:
    assert await right("words", reference, answer) is same


async def test_names_in_lists_are_names() -> None:
    assert not await right("all", ("Adams", "Peters"), "Adam, Peter")
    assert await right("all", ("Adams", "Peters"), "Peters and Adams")
    assert not await right("math", "Williams", "William")


@pytest.mark.parametrize("kind", ["words", "math", "integer", "number", "choice", "exact", "any", "all"])
@pytest.mark.parametrize("reference", ["A", "The", "?", "-", ""])
async def test_an_empty_answer_is_never_right(kind: str, reference: str) -> None:
    assert not await right(kind, reference, "")
    assert not await right(kind, reference, " \n")


FIGURES = {
    "1:30": (["01:30", "1:30 PM", "3:90"], ["13:30"]),
    "5:12": (["5:12 AM"], ["17:12", "12:5"]),
    "3:20 PM": (["15:20", "3:20"], ["3:20 AM", "03:20 am"]),
    "0:30": (["12:30 AM", "00:30"], ["12:30 PM", "12:30"]),
    "1:2": (["2:4", "1/2", r"\frac{2}{4}"], ["2/1", "2:1", "0.2"]),
    r"\angle ABC": ([r"\angle CBA", "∠ABC"], [r"\angle BAC", "∠ACB"]),
    r"\overrightarrow{AB}": ([r"$\overrightarrow{AB}$"], [r"\overrightarrow{BA}"]),
    r"\overline{AB}": ([r"\overline{BA}"], [r"\overline{AC}"]),
    "ABCD": (["**ABCD**"], ["ABDC", "DCBA", "BACD"]),
    "xy": (["yx"], ["xz"]),
    "10.0.0.1": (["10.0.0.1"], ["10.0.0.2", "0", "10.0.1.0"]),
    "3.14159265358979": ([], ["3.14159265358978", "3.1415926535897"]),
    "0.3": (["0.30000000000000004", "0.2999999999999999889"], ["0.3000000001"]),
    "H2O": (["H_2O", "H₂O", r"\text{H}_2\text{O}", r"\mathrm{H_{2}O}"], ["HO2", "HO_2", "H3O"]),
    "Fe2O3": ([r"\text{Fe}_2\text{O}_3"], ["Fe3O2"]),
    "Ca(OH)2": (["Ca(OH)_2"], ["CaOH2", "Ca(HO)2"]),
    "P_1V_1": (["V_1P_1"], ["P_1V_2"]),
}


@pytest.mark.parametrize(("reference", "answer", "same"), rows(FIGURES))
async def test_what_is_spelled_in_an_order_is_no_product(reference: str, answer: str, same: bool) -> None:
    assert await right("math", reference, answer) is same


@pytest.mark.parametrize("sign", ["- {}", "* {}", "• {}", "{n}. {}", "{n}) {}", "({n}) {}", "- **{}**", "  - ${}$"])
@pytest.mark.parametrize("head", ["", "The answers are:\n\n", "**Answer:**\n", "## Answer\n\n", "The roots are:\n"])
async def test_a_list_in_markdown_lists_its_items(sign: str, head: str) -> None:
    def listing(*items: str) -> str:
        return head + "\n".join(sign.format(item, n=n) for n, item in enumerate(items, 1))

    assert await right("all", ("5", "7"), listing("5", "7"))
    assert await right("math", "7, 5", listing("5", "7"))
    assert await right("words", "red, blue", listing("red", "blue"))
    assert await right("all", ("-1", "-2"), listing("-1", "-2"))
    assert not await right("all", ("-1", "-2"), listing("1", "2"))
    assert not await right("all", ("1", "2"), listing("5", "7"))
    assert not await right("all", ("5", "7"), listing("5", "7", "9"))
    for kind in ("math", "integer", "number"):
        assert not await right(kind, "5", listing("5", "7"))


async def test_one_item_below_its_heading() -> None:
    assert await right("integer", "5", "The answer is:\n\n- 5")
    assert await right("integer", "-5", "The answer is: - 5")
    assert await right("all", ("-1", "-2"), "-1\n-2")


@pytest.mark.parametrize(
    "heading", ["**Answer**", "**Answer:**", "### Answer", "**Final Answer**", "Answer", "__Answer__"]
)
async def test_what_stands_below_a_heading_is_the_answer(heading: str) -> None:
    assert await right("math", "5", f"{heading}\n5")
    assert await right("math", "5", f"We add 2 and 3.\n\n{heading}\n\n**5**")
    assert await right("words", "Paris", f"{heading}\n\nParis")
    assert not await right("words", "answer", f"{heading}\n\nParis")


CHOSEN = [  # all say B
    "I choose (B) 15 m/s", "I think (B) 15 m/s", "I would choose 15 m/s", "I would go with 15 m/s", "We choose B",
    "A is wrong. B is right.", "Not A. So B.", "A. Wait, B.", "A and C are wrong, so B", "(A) is too small so (B)",
    "A is wrong. C is also wrong. B", "It is not A, it is B.",
]  # fmt: skip
UNDECIDED = [
    "A or B", "B? maybe C", "I think A or B", "I would choose B or C", "I think (A) 15 m/s",
    "I would not choose 15 m/s",
    "B is wrong. B", "A is wrong.", "A is wrong. B is wrong.", "A is wrong. B or C.", "A. Wait, A or B.", "Not B",
    "I would choose 15 m/s or 20 m/s", "A is wrong. B?",
]  # fmt: skip


@pytest.mark.parametrize("answer", CHOSEN)
async def test_a_choice_in_a_sentence(answer: str) -> None:
    assert await right("choice", "B", answer, SPEEDS)
    assert not await right("choice", "A", answer, SPEEDS)
    assert not await right("choice", "C", answer, SPEEDS)


@pytest.mark.parametrize("answer", UNDECIDED)
async def test_no_option_is_paid_for_a_hedge(answer: str) -> None:
    for letter in "ABC":
        assert not await right("choice", letter, answer, SPEEDS)


CONTRASTED = {
    "5": (["5 (not 6)", "5 (and not 6)", "not 6 but 5", "It's not 6, it's 5."], ["6 (not 5)", "not 5 but 6", "not 5",
          "5 (not correct)", "not 6 but 5 or 7"]),
    "Paris": (["It is not London, it is Paris."], ["It is not Paris, it is London.", "It is not Paris"]),
    "1000": (["a thousand", "one thousand"], ["a hundred", "a million"]),
    "12": ([r"\boxed{12", r"\boxed{12}"], [r"\boxed{1"]),
}  # fmt: skip


@pytest.mark.parametrize(("reference", "answer", "same"), rows(CONTRASTED))
async def test_what_an_answer_is_not_is_told_from_what_it_is(reference: str, answer: str, same: bool) -> None:
    assert await right("math", reference, answer) is same
