"""Options and the ways in which tables name the right ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data import load_data
from pdr_dspy.data.columns.choices import LETTERS, NoOptions, Options, options_of
from pdr_dspy.data.columns.letters import NoLetter, as_letters
from pdr_dspy.errors import DataError

TEXTS = ("red", "green", "blue")


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(*rows: dict[str, Any]) -> str:
        path = tmp_path / "d.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(path)

    return write


@pytest.mark.parametrize(
    "cell",
    [
        ["red", "green", "blue"],
        {"text": ["red", "green", "blue"], "label": ["1", "2", "3"]},
        {"A": "red", "B": "green", "C": "blue", "D": None},
        [{"label": "x", "text": "red"}, {"label": "y", "text": "green"}, {"label": "z", "text": "blue"}],
        ["A) red", "B) green", "C) blue"],
        ["(a) red", "(b) green", "(c) blue"],
        '["red", "green", "blue"]',
        "['red', 'green', 'blue']",
    ],
)
def test_options_in_one_cell(cell: Any) -> None:
    assert options_of(cell).texts == TEXTS


@pytest.mark.parametrize("cell", ["red, green", [], ["one"], ["a", None], 3, ["x"] * 27, None, "__import__('os')"])
def test_what_is_no_list_of_options(cell: Any) -> None:
    with pytest.raises(NoOptions):
        options_of(cell)


def test_a_problem_as_a_model_sees_it(file: Any) -> None:
    rows = [{"q": text, "choices": list(TEXTS), "answer": place} for text, place in (("Which?", 1), ("And?", 0))]
    data = load_data(file(*rows), inputs="q", options="choices")
    problem, _ = data.problems
    assert problem.inputs == {"q": "Which?\n\nA) red\nB) green\nC) blue"}
    assert (problem.answer, problem.options) == ("B", TEXTS)
    assert any("from 0" in note for note in data.notes)
    assert "letter" in str(data.signature.output_fields["answer"].json_schema_extra["desc"])


def test_a_column_for_each_option(file: Any) -> None:
    rows = [
        {"problem": "p", "A": "red", "B": "green", "C": "blue", "answer": "b"},
        {"problem": "q", "A": "red", "B": "green", "C": None, "answer": "A"},
    ]
    first, second = load_data(file(*rows), options="A,B,C").problems
    assert (first.answer, first.options, second.answer, second.options) == ("B", TEXTS, "A", TEXTS[:2])


def test_the_right_option_in_a_column_of_its_own_is_not_always_the_first(file: Any) -> None:
    rows = [{"problem": f"p{i}", "right": "yes", "w1": "no", "w2": "maybe", "w3": "never"} for i in range(40)]
    data = load_data(file(*rows), options="right,w1,w2,w3", answer="right")
    assert {p.answer for p in data.problems} == set("ABCD")
    assert all(p.options[LETTERS.index(str(p.answer))] == "yes" for p in data.problems)
    turned = [{**row, "right": row["w1"], "w1": row["right"]} for row in rows]
    assert (
        load_data(file(*turned), options="w1,right,w2,w3", answer="w1").problems[0].options == data.problems[0].options
    )


def test_options_that_the_problem_shows_already(file: Any) -> None:
    text = "Which?\n(A) red\n(B) green\n(C) blue"
    data = load_data(file({"problem": text, "choices": list(TEXTS), "answer": "C"}), options="choices")
    assert data.problems[0].inputs["problem"] == text


def test_options_among_the_inputs(file: Any) -> None:
    path = file(*({"question": f"{n}+2?", "choices": ["3", "4"], "answer": n - 1} for n in (2, 1)))
    data = load_data(path, inputs="question,choices")
    assert (data.problems[0].answer, data.problems[0].options) == ("B", ("3", "4"))
    assert any("--options choices" in note for note in load_data(path, inputs="question").notes)


_words = st.text("abcdefgh xyz").filter(lambda text: len(text.strip()) > 1)
offered = st.lists(_words, min_size=2, max_size=8, unique_by=lambda text: tuple(text.split()))


@given(st.lists(st.tuples(offered, st.integers(0, 7)), min_size=1, max_size=6), st.sampled_from(["letter", "text"]))
def test_letters_and_texts_name_the_same(rows: list[tuple[list[str], int]], way: str) -> None:
    options = [Options(tuple(texts)) for texts, _ in rows]
    places = [place % len(texts) for texts, place in rows]
    names = [
        LETTERS[place] if way == "letter" else each.texts[place] for each, place in zip(options, places, strict=True)
    ]
    assert as_letters(options, names)[0] == [LETTERS[place] for place in places]


@pytest.mark.parametrize(
    ("answers", "letters"),
    [
        (["0", "2", "1"], "ACB"),
        (["1", "3", "2"], "ACB"),
        (["A", "(b)", "C."], "ABC"),
        (["red", "B", "C) blue"], "ABC"),
        ([" green", "red ", "blue"], "BAC"),
    ],
)
def test_all_rows_decide_how_options_are_named(answers: list[str], letters: str) -> None:
    assert as_letters([Options(TEXTS)] * 3, answers)[0] == list(letters)


def test_the_tables_own_labels() -> None:
    options = [Options(TEXTS, ("1", "2", "3"))] * 2
    assert as_letters(options, ["1", "2"]) == (["A", "B"], "labels")


@pytest.mark.parametrize("answers", [["A", "D"], ["A", "pink"], ["0", "3"], ["A", "1"], ["A", "B) red"]])
def test_an_answer_that_names_no_option(answers: list[str]) -> None:
    with pytest.raises(NoLetter):
        as_letters([Options(TEXTS)] * 2, answers)


def test_numbers_that_are_options_as_well(file: Any) -> None:
    path = file({"problem": "?", "choices": ["1", "2", "3"], "answer": 1})
    with pytest.raises(DataError, match=r"line 1: .*can be the options' texts or numbers.*makes a difference"):
        load_data(path, options="choices")


def test_numbers_that_count_from_0_or_from_1() -> None:
    letters, way = as_letters([Options(TEXTS)] * 2, ["1", "2"])
    assert letters == ["B", "C"] and "count from 0" in way and "from 1 would fit, too" in way
    letters, way = as_letters([Options(TEXTS)] * 3, ["1", "2", "0"])
    assert letters == ["B", "C", "A"] and "from 1" not in way
    assert as_letters([Options(TEXTS)] * 2, ["1", "3"])[0] == ["A", "C"]


@pytest.mark.parametrize(
    ("answers", "row", "why"),
    [(["0", "0", "7"], 2, "'7' is none"), (["A", "red", "9"], 2, "'9' is none"), (["twice"], 0, "text of 2 options")],
)
def test_the_row_that_is_not_as_the_others_are_is_named(answers: list[str], row: int, why: str) -> None:
    with pytest.raises(NoLetter, match=why) as caught:
        as_letters([Options(("red", "twice", "twice"))] * len(answers), answers)
    assert caught.value.row == row


def test_a_wrong_row_is_named(file: Any) -> None:
    rows = [{"problem": str(i), "choices": list(TEXTS), "answer": "A" if i else "E"} for i in (1, 2, 0)]
    with pytest.raises(DataError, match="line 3: the answer 'E' is none of the 3 options"):
        load_data(file(*rows), options="choices")
    with pytest.raises(DataError, match="line 1: column 'choices': there are 1 options"):
        load_data(file({"problem": "?", "choices": ["x"], "answer": 0}), options="choices")


@pytest.mark.parametrize(
    ("texts", "answer", "letter"),
    [
        (("Rome", "Paris"), "paris", "B"),
        (("Rome", "Paris", "paris"), "paris", "C"),
        (("red one", "GREEN  Two"), "green two", "B"),
        (("b", "a"), "A", "A"),
    ],
)
def test_an_options_text_in_another_case(texts: tuple[str, ...], answer: str, letter: str) -> None:
    assert as_letters([Options(texts)], [answer])[0] == [letter]


def test_a_text_that_two_options_have_in_another_case_is_refused_and_so_is_the_row_that_is_wrong(file: Any) -> None:
    with pytest.raises(NoLetter, match="'PARIS' is the text of 2 options"):
        as_letters([Options(("Paris", "paris"))], ["PARIS"])
    rows = [{"problem": answer, "choices": ["Paris", "Rome"], "answer": answer} for answer in ("paris", "Berlin")]
    with pytest.raises(DataError, match="line 2: the answer 'Berlin' is none of the 2 options"):
        load_data(file(*rows), options="choices")


def test_several_right_options_are_one_answer(file: Any) -> None:
    rows = [
        {"problem": "?", "choices": list(TEXTS), "answer": [0, 2]},
        {"problem": "!", "choices": list(TEXTS), "answer": [1]},
    ]
    data = load_data(file(*rows), options="choices")
    first, second = data.problems
    assert (first.answer, first.answers, second.answer) == ("A, C", (), "B")
    assert data.grader.name == "choice" and any("all of them are wanted" in note for note in data.notes)
    assert "the letters of all right options" in data.signature.output_fields["answer"].json_schema_extra["desc"]


@pytest.mark.parametrize(("kind", "right"), [("any", ["A", "C", "red"]), ("all", ["A, C"]), (None, ["A, C"])])
async def test_of_several_right_options_any_or_all(file: Any, kind: str | None, right: list[str]) -> None:
    rows = [{"problem": str(i), "choices": list(TEXTS), "answer": [0, 2]} for i in range(2)]
    data = load_data(file(*rows), options="choices", grader=kind)
    for answer in ("A", "C", "red", "A, C", "B"):
        assert bool(await data.grader.grade(data.problems[0], {"answer": answer})) == (answer in right), answer
