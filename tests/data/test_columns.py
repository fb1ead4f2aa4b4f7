"""Columns as people have them: nested, chats, of any name, empty, with several answers, with a worked solution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dspy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.data import load_data, side_of
from pdr_dspy.data.columns.names import field_name, usable
from pdr_dspy.data.columns.paths import MISSING, find
from pdr_dspy.errors import DataError


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(*rows: Any) -> str:
        path = tmp_path / "d.jsonl"
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return str(path)

    return write


def test_nested_columns(file: Any) -> None:
    path = file({"extra": {"q": "1+1?"}, "reward_model": {"ground_truth": "2", "style": "rule"}})
    data = load_data(path, inputs="extra.q", answer="reward_model.ground_truth")
    (problem,) = data.problems
    assert (problem.inputs, problem.answer) == ({"q": "1+1?"}, "2")
    assert list(data.signature.output_fields) == ["answer"]
    assert data.grader.field == "answer"  # type: ignore[attr-defined]
    assert {"extra.q", "reward_model.ground_truth"} <= set(data.columns)


def test_a_name_that_has_the_dot_itself_goes_first() -> None:
    row = {"a.b": 1, "a": {"b": 2, "c.d": {"e": [3, 4]}}, "j": '{"x": [5]}'}
    assert find(row, "a.b") == 1
    assert find(row, "a.c.d.e.1") == 4
    assert str(find(row, "j.x.0")) == "5"
    assert find(row, "a.z") is MISSING and find(row, "a.c.d.e.2") is MISSING and find(row, "a.b.c") is MISSING


@given(st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(min_size=1), st.integers())))
def test_every_cell_has_a_path(row: dict[str, dict[str, int]]) -> None:
    for name, inner in row.items():
        assert find(row, name) == inner
        for below, value in inner.items():
            # Another name may be spelled as this path is.
            assert find(row, f"{name}.{below}") == value or f"{name}.{below}".count(".") > 1 or f"{name}.{below}" in row


HARD = ["instructions", "config", "signature", "lm", "demos", "self", "class", "from", "fields", "model_config",
        "input_fields", "new_signature", "_q", "two words", "1st", "?", "json"]  # fmt: skip


@pytest.mark.parametrize("name", [*HARD, "question", "問題", "workspace", "solution"])
def test_any_column_name_can_be_asked_and_answered(name: str, file: Any) -> None:
    def lm_of(answer: str) -> dspy.LM:
        return dspy.utils.DummyLM([{field: "42" for field in (answer, "reasoning")}])

    data = load_data(file({name: "1+1?", "answer": "42"}), inputs=name)
    (field,) = data.signature.input_fields
    with dspy.context(lm=lm_of("answer"), adapter=dspy.ChatAdapter()):
        assert dspy.Predict(data.signature)(**data.problems[0].inputs).answer == "42"
    assert (field == name) == usable(name)
    assert usable(name) or any(name in note and field in note for note in data.notes)
    data = load_data(file({"problem": "1+1?", name: "42"}), answer=name)
    (field,) = data.signature.output_fields
    with dspy.context(lm=lm_of(field), adapter=dspy.ChatAdapter()):
        assert dict(dspy.Predict(data.signature)(problem="1+1?").items())[field] == "42"


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6, unique=True))
def test_fields_are_usable_and_differ(paths: list[str]) -> None:
    made: list[str] = []
    for path in paths:
        made.append(field_name(path, made))
    assert len(set(made)) == len(made) and all(map(usable, made))
    dspy.Signature({name: (str, dspy.InputField()) for name in made} | {"zz_out": (str, dspy.OutputField())})


def test_chats(file: Any) -> None:
    user = {"role": "user", "content": "1+1?"}
    path = file(
        {"prompt": [user], "answer": 2},
        {"prompt": [{"role": "system", "content": "Be brief."}, user], "answer": 2},
        {"prompt": [user, {"role": "assistant", "content": "2"}], "answer": 2},
        {"prompt": [user, {"role": "assistant", "content": "2"}, {"role": "user", "content": "+1?"}], "answer": 3},
        {"prompt": [{"role": "user", "content": [{"type": "text", "text": "1+1?"}]}], "answer": 2},
        {"prompt": [{"from": "human", "value": "1+1?"}, {"from": "gpt", "value": "2"}], "answer": 2},
        {"prompt": json.dumps([user]), "answer": 2},
        {"prompt": "1+1?", "answer": 2},
    )
    data = load_data(path, inputs="prompt")
    assert [p.inputs["prompt"] for p in data.problems] == [
        "1+1?", "Be brief.\n\n1+1?", "1+1?", "User: 1+1?\n\nAssistant: 2\n\nUser: +1?", "1+1?", "1+1?", "1+1?", "1+1?",
    ]  # fmt: skip
    assert [note.split()[0] for note in data.notes[:4]] == ["7", "1", "1", "2"]


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}], "no text .image_url"),
        ([{"role": "system", "content": "x"}], "no message of the chat is the user's"),
        ([{"role": "tool", "content": "x"}, {"role": "user", "content": "x"}], "role 'tool'"),
    ],
)
def test_chats_that_can_not_be_shown(messages: Any, problem: str, file: Any) -> None:
    with pytest.raises(DataError, match=rf"line 1: column 'prompt': .*{problem}"):
        load_data(file({"prompt": messages, "answer": 2}), inputs="prompt")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"problem": null, "answer": 1}', "line 2: column 'problem' is null"),
        ('{"problem": "", "answer": 1}', "line 2: column 'problem' is empty"),
        ('{"problem": "?", "answer": " "}', "line 2: column 'answer' is empty"),
        ('{"problem": "?", "answer": []}', "line 2: column 'answer' is empty"),
        ('{"problem": "?", "answer": NaN}', "line 2: column 'answer' is NaN"),
        ('{"problem": "?", "answer": -Infinity}', "line 2: column 'answer' has -Infinity"),
        ('{"problem": "?", "answer": [1, NaN]}', "line 2: column 'answer' has NaN"),
        ('{"problem": "a\\ud83d b", "answer": 1}', "line 2: column 'problem' has half a character"),
        ('{"problem": "?", "answer": "\\udc00"}', "line 2: column 'answer' has half a character"),
        ('{"problem": "?", "answer": "1", "id": "\\udc00"}', "line 2: column 'id' has half a character"),
        ('{"problem": "a\\u0000b", "answer": 1}', "line 2: column 'problem' has a NUL"),
        ('{"problem": "?"}', "line 2: there is no column 'answer'. Name another with --answer. Columns there: problem"),
    ],
)
def test_a_cell_that_can_not_be_used_is_named(row: str, message: str, file: Any) -> None:
    with pytest.raises(DataError, match=message):
        load_data(file({"problem": "?", "answer": 1}, row))


def test_a_damaged_text_that_is_not_used_does_no_harm(file: Any) -> None:
    data = load_data(file('{"problem": "?", "answer": 1, "note": "\\ud83d", "n": NaN}'))
    assert data.problems[0].extra["note"] == "�"
    assert data.fingerprint


@pytest.mark.parametrize("nothing", [None, "", "  ", [], float("nan")])
@pytest.mark.parametrize("skip_empty", [False, True])
def test_an_input_that_few_problems_have_is_an_empty_text(nothing: Any, skip_empty: bool, file: Any) -> None:
    rows = [{"context": nothing, "question": "What is 8?", "answer": 8},
            {"context": "s is 3", "question": "What is s?", "answer": 3},
            {"context": "What is 2?", "question": nothing, "answer": 2}]  # fmt: skip
    data = load_data(file(*rows), inputs="context,question", skip_empty=skip_empty)
    assert [p.inputs for p in data.problems] == [
        {"context": "", "question": "What is 8?"}, {"context": "s is 3", "question": "What is s?"},
        {"context": "What is 2?", "question": ""},
    ]  # fmt: skip
    told = [note for note in data.notes if "empty text" in note]
    assert [note.split(" (")[0] for note in told] == ["1 row has no context", "1 row has no question"]
    assert "line 1" in told[0] and "line 3" in told[1]


def test_a_problem_with_no_input_at_all_is_still_refused(file: Any) -> None:
    rows = [
        {"context": "s is 3", "question": "What is s?", "answer": 3},
        {"context": None, "question": "", "answer": 2},
    ]
    with pytest.raises(DataError, match="line 2: columns 'context', 'question' are all empty"):
        load_data(file(*rows), inputs="context,question")
    data = load_data(file(*rows), inputs="context,question", skip_empty=True)
    assert len(data) == 1 and "1 row is left out: context and question is empty there" in data.notes


def test_an_empty_input_moves_no_problem_to_another_side(file: Any) -> None:
    rows = [{"question": f"What is {number}?", "answer": number} for number in range(40)]
    alone = load_data(file(*rows), inputs="question")
    beside = load_data(file(*({**row, "context": None} for row in rows)), inputs="context,question")
    assert [side_of(p) for p in alone.problems] == [side_of(p) for p in beside.problems]
    assert alone.forms == beside.forms


def test_options_stand_below_the_last_input_that_has_a_text(file: Any) -> None:
    row = {"question": "Which?", "context": None, "choices": ["x", "y"], "answer": "A"}
    (problem,) = load_data(file(row), inputs="question,context", options="choices").problems
    assert problem.inputs == {"question": "Which?\n\nA) x\nB) y", "context": ""}


def test_empty_rows_can_be_left_out_and_are_counted(file: Any) -> None:
    rows = [{"problem": "?", "answer": 1}, {"problem": None, "answer": 1}, '{"problem": "?", "answer": NaN}']
    data = load_data(file(*rows), skip_empty=True)
    assert [p.id for p in data.problems] == ["1"]
    assert [note for note in data.notes if "left out" in note] == [
        "1 row is left out: problem is empty there", "1 row is left out: answer is empty there",
    ]  # fmt: skip
    with pytest.raises(DataError, match="every row"):
        load_data(file(rows[1]), skip_empty=True)


def test_worked_solutions_with_their_answers_behind_marks(file: Any) -> None:
    data = load_data(
        file({"problem": "?", "answer": "3 + 39 = 42.\n#### 42"}, {"problem": "!", "answer": "#### 1,000"})
    )
    assert [p.answer for p in data.problems] == ["42", "1,000"]
    assert any("####" in note for note in data.notes)
    boxed = "We see that this is so and that is so, so the answer is $\\boxed{\\frac{1}{2}}$."
    assert load_data(file({"problem": "?", "answer": boxed})).problems[0].answer == "\\frac{1}{2}"
    assert load_data(file({"problem": "?", "answer": "#### 1"}, {"problem": "!", "answer": "2"})).problems[
        0
    ].answer == ("#### 1")


def test_a_signature_names_the_columns(file: Any) -> None:
    path = file({"question": "?", "answer": "1", "label": "2"})
    data = load_data(path, signature="question -> answer: int")
    assert data.problems[0].inputs == {"question": "?"}
    assert data.signature.output_fields["answer"].annotation is int
    assert load_data(path, signature="question -> label", answer="label").problems[0].answer == "2"
    assert load_data(path, inputs="question", signature="task -> result").problems[0].inputs == {"task": "?"}
    data = load_data(path, inputs="question", instruction="Answer in metres.")
    assert data.signature.instructions == "Answer in metres."
    assert load_data(file({"question": "?", "label": "2"}), signature="question -> label").problems[0].answer == "2"


@pytest.mark.parametrize(
    "text", ["question", "-> answer", "question ->", "question -> answer: nonsense(", "class -> answer", "q -> config",
             "a -> b -> c", "question answer -> x"]
)  # fmt: skip
def test_signatures_that_are_none(text: str, file: Any) -> None:
    with pytest.raises(DataError, match="signature"):
        load_data(file({"question": "?", "answer": "1"}), signature=text)


@pytest.mark.parametrize(
    "options", [{"inputs": ""}, {"inputs": "a,,b"}, {"answer": " "}, {"options": ","}, {"instruction": " "},
                {"inputs": "problem", "options": "problem"}, {"options": "a,a"}, {"inputs": "problem,answer"}]
)  # fmt: skip
def test_words_that_name_nothing(options: dict[str, str], file: Any) -> None:
    with pytest.raises(DataError):
        load_data(file({"problem": "?", "answer": "1"}), **options)
