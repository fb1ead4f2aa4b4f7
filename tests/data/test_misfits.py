"""Options that nobody named, and references that the grader does not expect: told before anything is spent."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data import Dataset, load_data
from pdr_dspy.data.__main__ import main
from pdr_dspy.data.checks import remarks
from pdr_dspy.data.columns.unused import unused_options
from pdr_dspy.data.misfits import misfits
from pdr_dspy.data.showing import described
from pdr_dspy.errors import DataError

GPQA = ["Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"]


def loaded(tmp_path: Path, rows: list[dict[str, Any]], **said: Any) -> Dataset:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_data(str(path), **said)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"A": "x", "B": "y", "C": "z", "D": ""}, "--options A,B,C,D"),
        ({"b": "y", "a": "x"}, "--options a,b"),
        ({"option_a": "x", "option_b": "y"}, "--options option_a,option_b"),
        ({"Option 1": "x", "Option 2": "y", "Option 3": "z"}, "--options 'Option 1,Option 2,Option 3'"),
        ({"opa": "x", "opb": "y", "opc": "z", "opd": "w"}, "--options opa,opb,opc,opd"),
        ({"ending0": "x", "ending1": "y"}, "--options ending0,ending1"),
        ({"choices": ["x", "y"]}, "--options choices"),
        ({"choices": "['x', 'y']"}, "--options choices"),
        ({"choices": {"text": ["x", "y"], "label": ["A", "B"]}}, "--options choices"),
        ({"choices": [{"label": "A", "text": "x"}, {"label": "B", "text": "y"}]}, "--options choices"),
        ({"options": {"A": "x", "B": "y"}}, "--options options"),
        ({"extra": {"choices": ["x", "y"], "n": 2}}, "--options extra.choices"),
        (dict.fromkeys(GPQA, "x"), f"--options '{','.join(GPQA)}' --answer 'Correct Answer'"),
        ({"correct_answer": "x", "distractor1": "y"}, "--options correct_answer,distractor1 --answer correct_answer"),
        ({"option, a": "x", "option, b": "y"}, None),
        ({"a": "x"}, None),
        ({"A": "x", "C": "y"}, None),
        ({"x": "1", "y": "2"}, None),
        ({"1": "x", "2": "y"}, None),
        ({"choices": "many"}, None),
        ({"choices": ["one"]}, None),
        ({"answers": ["x", "y"], "level": "1"}, None),
        ({"correct_answer": "x"}, None),
    ],
)
def test_the_words_that_have_options_read(columns: dict[str, Any], words: str | None) -> None:
    assert unused_options({"problem": "?", **columns, "answer": "B"}, {"problem", "answer"}) == words


@pytest.mark.parametrize("letters", ["ABCD", "abcde", "AB"])
def test_what_is_told_is_what_works(letters: str, tmp_path: Path) -> None:
    rows = [{"problem": f"q{i}", **{c: f"{c}{i}" for c in letters}, "answer": letters[1]} for i in range(4)]
    data = loaded(tmp_path, rows)
    (note,) = [note for note in data.notes if "not shown" in note]
    told = dict(zip(*[iter(shlex.split(note.partition("do: ")[2]))] * 2, strict=True))
    assert any("4 of 4" in each and "not in the prompt" in each and "problem 1" in each for each in remarks(data)) == (
        letters[1] == "B"
    )
    named = loaded(tmp_path, rows, options=told["--options"])
    assert not remarks(named) and named.problems[0].options == tuple(f"{c}0" for c in letters)
    assert named.problems[0].answer == "B"


def test_an_error_of_a_missing_column_says_how_options_are_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"multiple choice: --options '{','.join(GPQA)}' --answer 'Correct Answer'"):
        loaded(tmp_path, [{"Question": "?", **{name: name for name in GPQA}}], inputs="Question")


def test_options_that_the_problem_shows_are_no_matter(tmp_path: Path) -> None:
    for text in ("Which?\nA) x\nB) y", "Which? (A) x (B) y", "**A.** x\n**B.** y", "A: x, B: y"):
        assert not misfits(loaded(tmp_path, [{"problem": text, "answer": letter} for letter in "AB"]))


WORDS = ["Paris", "Rome", "12", "3.5", "A", "Z"]


@pytest.mark.parametrize(
    ("grader", "answers", "doubt"),
    [
        ("integer", WORDS, "5 of 6 reference answers are no integers (problem 1: 'Paris')"),
        ("number", WORDS, "4 of 6 reference answers are no numbers (problem 1: 'Paris')"),
        ("choice", WORDS, "4 of 6 reference answers are no option's letters (problem 1: 'Paris')"),
        ("integer", ["1", "3,5"], "1 of 2 reference answers is no integer (problem 2: '3,5')"),
        (None, ["AC", "B"], "1 of 2 reference answers names several letters (problem 1: 'AC')"),
        (None, [{"value": 3}, "5"], "1 of 2 reference answers is an object (problem 1: '{\"value\": 3}')"),
        (None, [[{"value": 3}], "5"], "is an object"),
        ("exact", ["x", {"a": 1}], "1 of 2 reference answers is an object (problem 2"),
    ],
)
def test_references_that_the_grader_does_not_expect(
    grader: str | None, answers: list[Any], doubt: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"problem": f"q{number}", "answer": answer} for number, answer in enumerate(answers)]
    data = loaded(tmp_path, rows, grader=grader)
    assert any(doubt in each for each in remarks(data))
    assert main([str(tmp_path / "a.jsonl"), *(["--grader", grader] if grader else [])]) == 0
    assert doubt in capsys.readouterr().out


@pytest.mark.parametrize(
    ("grader", "answers"),
    [
        ("integer", ["12", "$-3$", "1,000", "\\boxed{7}", "12 apples", "2^5"]),
        ("number", ["1/2", "0.5", "12 %", "\\frac{1}{3}", "3 km", "1e-3"]),
        ("math", ["{1, 2}", "[1, 2]", "\\{x\\}", "(1, 2)", "[[1,2],[3,4]]"]),
        ("words", ["Paris", "12", "[note]"]),
        ("exact", ["{}x", "[]"]),
    ],
)
def test_references_that_fit(grader: str, answers: list[str], tmp_path: Path) -> None:
    rows = [{"problem": f"q{number}", "answer": answer} for number, answer in enumerate(answers)]
    assert not misfits(loaded(tmp_path, rows, grader=grader))


@given(st.lists(st.integers(), min_size=1))
def test_integers_fit_their_graders(numbers: list[int]) -> None:
    from pdr_dspy.data import Problem, make_grader
    from pdr_dspy.data.asking import usual_signature

    problems = tuple(Problem(str(i), {"problem": "?"}, str(number)) for i, number in enumerate(numbers))
    for grader in ("integer", "number"):
        assert not misfits(Dataset("d", usual_signature(["problem"], "answer"), problems, make_grader(grader)))


@pytest.mark.parametrize(
    ("kind", "answers", "off"),
    [
        ("int", ["3", "3.5", "12 apples", "1,000"], "3.5"),
        ("float", ["3", "1/2", "$-2.5$"], None),
        ("float", ["3", "Paris"], "Paris"),
        ("bool", ["yes", "False", "perhaps not"], "perhaps not"),
        ("Literal['red', 'blue']", ["red", "Blue", "green"], "green"),
        ("list[int]", ["1, 2", "[3]", "x"], "x"),
        ("str", ["3.5", "Paris"], None),
    ],
)
def test_a_reference_that_is_no_value_of_the_answers_type_is_told(
    kind: str, answers: list[str], off: str | None, tmp_path: Path
) -> None:
    rows = [{"problem": str(number), "answer": answer} for number, answer in enumerate(answers)]
    data = loaded(tmp_path, rows, signature=f"problem -> answer: {kind}", grader="exact")
    told = [doubt for doubt in misfits(data) if "no value of the type" in doubt]
    assert len(told) == (off is not None)
    if off is not None:
        place = answers.index(off) + 1
        assert f"1 of {len(answers)} " in told[0] and f"(problem {place}: {off!r})" in told[0] and kind in told[0]


def test_an_option_fits_by_its_letter_or_by_its_text(tmp_path: Path) -> None:
    rows = [{"problem": "p", "choices": ["red", "blue"], "answer": 0}]
    for kind, doubted in (("Literal['A', 'B']", False), ("Literal['red', 'blue']", False), ("int", True)):
        data = loaded(tmp_path, rows, options="choices", signature=f"problem -> answer: {kind}")
        assert any("no value of the type" in doubt for doubt in misfits(data)) == doubted


def test_a_type_is_shown_whole(tmp_path: Path) -> None:
    rows = [{"problem": "p", "answer": "1"}]
    for kind in ("int", "list[str]", "Literal['1', '2']"):
        assert f"-> answer: {kind}\n" in described(loaded(tmp_path, rows, signature=f"problem -> answer: {kind}"))


@pytest.mark.parametrize(
    ("splits", "told"),
    [
        (["train", "test", "train"], "column split is not used (train 2, test 1): every row is read"),
        (["search", "report", "test"], "puts 1 on the search side and 1 on the report side; 1 row names none (test 1)"),
        (["search", "report", None], "; 1 row names none (empty): by a hash there"),
        (["search", "report", "report"], "column split puts 1 on the search side and 2 on the report side"),
        (["test", "test", "test"], None),
    ],
)
def test_what_a_column_split_does_is_told(splits: list[str | None], told: str | None, tmp_path: Path) -> None:
    rows = [{"problem": str(n), "answer": n, "split": split} for n, split in enumerate(splits)]
    notes = [note for note in loaded(tmp_path, rows).notes if "column split" in note]
    assert len(notes) == (told is not None) and all(told in note for note in notes if told)


@pytest.mark.parametrize(
    ("column", "value", "path"),
    [
        ("reward_model", {"style": "rule", "ground_truth": "4"}, "reward_model.ground_truth"),
        ("extra.checked", {"by": "x", "value": 4}, "extra.checked.value"),
        ("answer", [{"text": "4"}], "answer.0.text"),
        ("the answer", {"n": 4}, "'the answer.n'"),
    ],
)
def test_the_advice_for_an_object_is_a_path_that_the_file_has(
    column: str, value: Any, path: str, tmp_path: Path
) -> None:
    outer, _, inner = column.partition(".")
    rows = [{"problem": "?", "style": "x", outer: {inner: value} if inner else value}]
    told = [doubt for doubt in misfits(loaded(tmp_path, rows, answer=column)) if "is an object" in doubt]
    assert len(told) == 1 and told[0].endswith(f"--answer {path}")
    (problem,) = loaded(tmp_path, rows, answer=shlex.split(path)[0]).problems
    assert problem.answer == "4"
