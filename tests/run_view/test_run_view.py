"""A run to be looked at: in a terminal, in a notebook, as data; on runs made with the scripted fake vLLM."""

from __future__ import annotations

import asyncio
import copy
import enum
import io
import json
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import dspy
import pydantic
import pytest
from fakes.stages import by_stage, fields, stage_of
from fakes.vllm import Call, FakeVLLM, Reply
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy import bridge
from pdr_dspy.budget import Budget
from pdr_dspy.endpoint import Endpoint, EndpointSettings, MemoryStore
from pdr_dspy.errors import WorkflowFailed
from pdr_dspy.modules import PDR, Draft, FailedCall, RoundRecord, RunRecord, SequentialRefinement
from pdr_dspy.run_view import SCHEMA_VERSION, RunData
from pdr_dspy.run_view.making import plain
from pdr_dspy.run_view.text import cells, wrapped
from pdr_dspy.workflow import build_workflow, plan

SMALL = build_workflow(
    {"name": "small", "rounds": [{"width": 3, "distill": {"kind": "summary", "tokens": 64}}, {"width": 1}]}
)
VOTE = build_workflow({"name": "vote", "rounds": [{"width": 4}], "close": "vote"})
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u202c"
HOSTILE = f"[red]x[/red] [link=http://evil]y[/] <script>alert(1)</script> <img src=x onerror=z> &amp; {ESCAPES}\ttab"

Answer = Callable[[Call], Reply | str] | str
Solve = Callable[..., Any]


@pytest.fixture
def solve() -> Iterator[Solve]:
    """Runs a program on a fake model with this answer; gives the prediction."""

    def solved(
        answer: Answer, workflow: Any = SMALL, signature: Any = "question -> answer", *, then: Any = (), **more: Any
    ) -> Any:
        inputs = more.pop("inputs", {"question": "what?"})
        server = FakeVLLM(answer=answer, context=8192, tokenizer="words")
        with server, Endpoint.open(EndpointSettings((server.url,), retries=0)) as endpoint:
            server.then(*then)
            program = PDR(signature, workflow, **{"budget": "tokens=4k", **more})
            with dspy.context(lm=endpoint.lm, adapter=dspy.ChatAdapter()):
                return program(**inputs)

    yield solved


def shown(run: RunRecord | RunData, **kwargs: Any) -> str:
    stream = io.StringIO()
    run.show(stream, **{"width": 120, **kwargs})
    return stream.getvalue()


class Page(HTMLParser):
    """The tags and the text of HTML; raises where they are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        self.open.append(tag)
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        """It closes."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """A text."""
        self.text += data


TAGS = {"div", "style", "h4", "table", "tr", "td", "th", "span", "b", "details", "summary"}


def page(run: RunRecord | RunData) -> Page:
    found = Page(run._repr_html_())
    assert found.tags <= TAGS and found.attributes <= {"class", "style"}
    return found


def test_all_there_is_to_see_is_in_the_text_and_on_the_page(solve: Solve) -> None:
    run = solve(by_stage).run
    text, html = shown(run), page(run).text
    for said in (
        "3-1 summary@64", "tokens=4k", "B_seq", "B_total", "draft 1 of 3", "draft 3 of 3", "distill round 1", "refine",
        "kappa 64", "notes on 3 drafts", "agreement", "accepted", f"{run.meters.b_seq:,}", f"{run.meters.b_total:,}",
        f"{run.meters.seq_generated:,} on the path",
    ):  # fmt: skip
        assert said in text and said in html, said
    for draft in run.drafts:
        assert draft.solution in text and draft.solution in html
    assert "Failed" not in text and "Failed calls" not in html


def test_the_data_says_where_everything_stands(solve: Solve) -> None:
    run = solve(by_stage).run
    data = run.to_dict()
    assert data["schema_version"] == SCHEMA_VERSION == 1
    assert data["workflow"]["name"] == "small" and data["budget"] == "tokens=4k"
    calls = [call for call in data["calls"] if call["stage"] != "probe"]
    assert [call["name"] for call in calls][-2:] == ["distill round 1", "refine"]
    assert sorted(call["name"] for call in calls[:3]) == [f"draft {i} of 3" for i in (1, 2, 3)]
    assert all(call["started"] >= 0 and call["seconds"] > 0 for call in calls)
    assert calls[3]["started"] >= max(call["started"] for call in calls[:3])
    (first, second) = data["rounds"]
    assert (first["workspaces"], first["distill"], second["distill"]) == ([], "summary", None)
    (workspace,) = second["workspaces"]
    assert workspace == {"text": "notes on 3 drafts", "tokens": 4, "kappa": 64, "readers": [0]}
    assert [draft["accepted"] for each in data["rounds"] for draft in each["drafts"]] == [False] * 3 + [True]
    by_stage_name = {stage["stage"]: stage for stage in data["stages"]}
    assert by_stage_name["draft"]["calls"] == 3
    for name, total in (("prompt_tokens", run.meters.prompt_tokens), ("completion_tokens", run.meters.total_generated)):
        assert sum(stage[name] for stage in data["stages"]) == total
    assert data["meters"]["b_total"] == run.meters.b_total


def test_everything_shown_can_be_made_of_the_data_again(solve: Solve) -> None:
    run = solve(by_stage, then=[Reply(text="half", finish="length")]).run
    again = RunData.model_validate(json.loads(json.dumps(run.to_dict(), allow_nan=False)))
    assert again == run.data()
    assert shown(again) == shown(run) and again._repr_html_() == run._repr_html_()
    later = {**run.to_dict(), "of_a_later_release": 1}
    assert RunData.model_validate(later) == again
    with pytest.raises(pydantic.ValidationError):
        RunData.model_validate({**run.to_dict(), "schema_version": 2})


def test_drafts_that_agree_have_the_same_letter(solve: Solve) -> None:
    answers = iter(["1/2", "0.5", "7", "$\\frac12$"])
    run = solve(lambda call: fields(solution=f"s {call.number}", answer=next(answers)), VOTE).run
    (this,) = run.data().rounds
    groups = {draft.outputs["answer"]: draft.group for draft in this.drafts}
    assert groups["1/2"] == groups["0.5"] == groups["$\\frac12$"] != groups["7"]
    assert run.data().equality == "default"
    assert "agreement A 3, B 1" in shown(run) or "agreement B 3, A 1" in shown(run)
    accepted = [draft for draft in this.drafts if draft.accepted]
    assert [draft.group for draft in accepted] == [groups["1/2"]]


def test_agreement_goes_by_the_programs_equality_where_it_has_one(solve: Solve) -> None:
    answers = iter(["cat", "CAR", "dog", "cow"])

    async def same_initial(first: str, second: str) -> bool:
        await asyncio.sleep(0)
        return first[0].lower() == second[0].lower()

    prediction = solve(lambda call: fields(solution="s", answer=next(answers)), VOTE, equal=same_initial)
    data = prediction.run.data()
    assert data.equality == "given" and len({draft.group for draft in data.rounds[0].drafts}) == 2
    assert "the program's equality" in shown(prediction.run)
    for other in (pickle.loads(pickle.dumps(prediction.run)), copy.deepcopy(prediction.run)):
        assert other == prediction.run
        assert other.data().equality == "default" and len({d.group for d in other.data().rounds[0].drafts}) == 4

    async def on_the_librarys_loop() -> RunData:
        return prediction.run.data()

    assert bridge.run(on_the_librarys_loop()).equality == "spelling"


def test_a_draft_without_an_answer_agrees_with_nobody(solve: Solve) -> None:
    answers = iter(["", "4", " ", "4"])
    run = solve(
        lambda call: fields(solution=f"s {call.number}", answer=next(answers)), VOTE, "question -> answer: str"
    ).run
    groups = [draft.group for draft in run.data().rounds[0].drafts if not str(draft.outputs["answer"]).strip()]
    assert groups and set(groups) == {None}
    assert "[-" in shown(run)


def test_what_failed_is_shown_with_what_it_wrote_and_what_was_used_instead(solve: Solve) -> None:
    def answer(call: Call) -> Reply | str:
        if stage_of(call) == "distill":
            return Reply(text="[[ ## workspace ## ]]\nthe first half of a summary", finish="length")
        return by_stage(call)

    run = solve(answer, then=[Reply(text="I was about to say", finish="length"), Reply(status=500)]).run
    text, html = shown(run), page(run).text
    for said in ("Failed calls", "truncated", "I was about to say", "server", "the first half of a summary"):
        assert said in text and said in html, said
    assert "instead: the text it wrote, without the format's marks" in text
    assert "1 of 3 drafts" in text
    assert [call.outcome for call in run.data().calls if call.stage == "draft"].count("ok") == 1


def test_a_run_without_a_draft_can_be_looked_at(solve: Solve) -> None:
    with pytest.raises(WorkflowFailed) as failed:
        solve(Reply(text="nothing to read here"), VOTE, "question -> answer: int")
    record = failed.value.record
    assert isinstance(record, RunRecord)
    text, html = shown(record), page(record).text
    for said in ("0 of 4 drafts", "unparseable", "nothing to read here"):
        assert said in text and said in html
    assert RunData.model_validate(record.to_dict()).rounds[0].drafts == ()


def test_what_was_replayed_says_so() -> None:
    with FakeVLLM(answer=by_stage, context=8192, tokenizer="words") as server:
        settings = EndpointSettings((server.url,))
        with Endpoint.open(settings, MemoryStore()) as endpoint, dspy.context(lm=endpoint.lm):
            program = PDR("question -> answer", SMALL)
            first, again = (program(question="what?").run.data() for _ in range(2))
    assert "replayed" not in shown(first)
    assert shown(again).count("replayed") == 5
    assert [draft.solution for draft in again.rounds[0].drafts] == [draft.solution for draft in first.rounds[0].drafts]


def test_a_run_of_any_other_model_can_be_looked_at() -> None:
    answers = [{"solution": "s", "answer": str(i)} for i in range(3)] + [{"workspace": "w"}]
    lm = dspy.utils.DummyLM([*answers, {"solution": "r", "answer": "7"}])
    with dspy.context(lm=lm, adapter=dspy.ChatAdapter()):
        run = PDR("question -> answer", SMALL)(question="what?").run
    assert "refine" in shown(run) and "answer: 7" in shown(run)
    page(run)


def test_sequential_refinement_shows_each_workspace(solve: Solve) -> None:
    assert isinstance(SequentialRefinement("question -> answer", rounds=3), PDR)
    workflow = SequentialRefinement("question -> answer", rounds=3).workflow
    run = solve(by_stage, workflow).run
    text = shown(run)
    assert "refine round 2" in text and "refine round 3" in text
    assert [each.workspaces[0].kappa for each in run.data().rounds[1:]] == [2048, 2048]
    assert all(run.rounds[i].drafts[0].solution in run.data().rounds[i + 1].workspaces[0].text for i in (0, 1))


class Colour(enum.Enum):
    """Colours."""

    RED = "red"


class Verdict(pydantic.BaseModel):
    """A typed answer."""

    colour: Colour
    odds: list[float]


class Judged(dspy.Signature):
    """Judge it."""

    question: str = dspy.InputField()
    verdict: Verdict = dspy.OutputField()
    label: Literal["a", "b"] = dspy.OutputField()


def test_typed_answers_are_shown_as_json(solve: Solve) -> None:
    written = fields(solution="s", verdict='{"colour": "red", "odds": [0.5, 1]}', label="a")
    run = solve(written, VOTE, Judged).run
    (this,) = run.data().rounds
    assert this.drafts[0].outputs == {"verdict": {"colour": "red", "odds": [0.5, 1.0]}, "label": "a"}
    assert '{"colour": "red", "odds": [0.5, 1.0]}' in shown(run, width=200).replace("\n", " ")
    assert '"odds": [0.5, 1.0]' in page(run).text


def test_images_are_no_part_of_a_run(solve: Solve) -> None:
    image = dspy.Image("data:image/png;base64," + "QUJD" * 4000)
    prediction = solve(
        fields(solution="s", answer="42"), VOTE, "image: dspy.Image, question -> answer",
        inputs={"image": image, "question": "what?"},
    )  # fmt: skip
    assert "QUJDQUJD" not in json.dumps(prediction.run.to_dict())
    assert "42" in shown(prediction.run)


def test_hostile_text_stays_text(solve: Solve) -> None:
    def answer(call: Call) -> Reply | str:
        if stage_of(call) == "distill":
            return fields(workspace=f"notes {HOSTILE}")
        return fields(solution=f"solution {HOSTILE}", answer=f"answer {HOSTILE}")

    run = solve(answer, then=[Reply(text=f"failed {HOSTILE}", finish="length")]).run
    text, html = shown(run, width=200), page(run)
    for found in (text, html.text):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", found)
        for said in ("[red]x[/red]", "<script>alert(1)</script>", "\\x1b]0;owned\\x07", "&amp;", "[link=http://evil]"):
            assert said in found.replace("\n", "") or said in re.sub(r"\s+", "", found), said
    assert "<script" not in run._repr_html_() and "<img" not in run._repr_html_()
    coloured = Terminal()
    run.show(coloured, width=200)
    assert set(re.findall("\x1b.", coloured.getvalue())) <= {"\x1b["}
    assert set(re.findall(r"\x1b\[([0-9;]*)(.)", coloured.getvalue())) <= {(code, "m") for code in COLOURS}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It is."""
        return True


COLOURS = ("0", "1", "2", "31", "32", "33", "36")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal that has colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_a_terminal_gets_colours_and_the_same_text(solve: Solve, terminal: Terminal) -> None:
    run = solve(by_stage).run
    run.show(terminal, width=120)
    assert "\x1b[" in terminal.getvalue()
    bare = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert [line.rstrip() for line in bare.splitlines()] == shown(run).splitlines()


def test_without_rich_or_colours_it_is_plain(solve: Solve, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    run = solve(by_stage).run
    with monkeypatch.context() as patch:
        patch.setenv("NO_COLOR", "1")
        run.show(terminal, width=120)
        assert "\x1b[3" not in terminal.getvalue()
    other = Terminal()
    for name in [name for name in sys.modules if name == "rich" or name.startswith("rich.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    run.show(other, width=120)
    assert other.getvalue() == shown(run)


def test_what_a_stream_can_not_write_is_escaped(solve: Solve) -> None:
    run = solve(fields(solution="数学 \ud83d über", answer="42"), VOTE).run
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    run.show(stream, width=100)
    assert "\\u6570" in raw.getvalue().decode("ascii")


def test_long_texts_are_short_in_the_terminal_and_folded_on_the_page(solve: Solve) -> None:
    long = "word " * 2000
    prediction = solve(fields(solution=long, answer="42"), VOTE)
    run = prediction.run
    assert len(shown(run)) < 20_000 and "characters)" in shown(run)
    assert shown(run, texts=None).count("word") >= 4 * 2000
    html = run._repr_html_()
    assert html.count("<details>") == 4 and "<details open" not in html
    assert page(run).text.count("word") >= 4 * 2000
    for short in map(repr, (run, run.data(), run.drafts[0], run.rounds)):
        assert len(short) < 400 and "\n" not in short
    assert len(str(prediction)) < len(long) + 1000


def test_plain_data_of_a_prediction_is_json(solve: Solve) -> None:
    prediction = solve(by_stage)
    json.dumps(prediction.toDict())
    among = json.loads(json.dumps(dspy.Prediction(answer=1, run=prediction.run).toDict()))
    assert among["run"]["workflow"] == "small" and among["run"]["b_total"] == prediction.run.meters.b_total
    assert len(json.dumps(among["run"])) < 1000


def test_narrow_and_wide_terminals(solve: Solve) -> None:
    run = solve(fields(solution="数学" * 300, answer="4" * 500)).run
    for width in (10, 40, 80, 200):
        lines = shown(run, width=width).splitlines()
        rounds = lines[next(i for i, line in enumerate(lines) if line.startswith("Round 1")) :]
        drafted = [line for line in rounds if "数" in line or "444" in line]
        assert drafted and max(map(cells, drafted)) <= max(width, 40)


class Strange:
    """A value that can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("-inf"), Strange(), {1: {2, 3}}, b"\xff", Verdict(colour=Colour.RED, odds=[float("inf")]),
     Path("/x"), 10**400, "\ud800", {"\ud800": "\udfff"}, None, [object]],
    ids=["nan", "inf", "strange", "sets", "bytes", "model", "path", "huge", "half", "half-key", "none", "class"],
)  # fmt: skip
def test_any_value_becomes_json(value: Any) -> None:
    json.dumps(plain(value), allow_nan=False).encode()


def test_values_that_hold_themselves_become_texts() -> None:
    loop: list[Any] = []
    loop.append(loop)
    deep: Any = 0
    for _ in range(500):
        deep = [deep]
    for value in (loop, deep):
        json.dumps(plain(value), allow_nan=False)


TEXT = st.text(st.characters(codec=None), max_size=60) | st.just(HOSTILE)


@given(solution=TEXT, answer=TEXT, workspace=TEXT, failed=TEXT, field=st.text(min_size=1, max_size=5))
def test_no_text_leaves_its_place(solution: str, answer: str, workspace: str, failed: str, field: str) -> None:
    draft, other = Draft(0, solution, {field: answer}), Draft(0, answer, {field: answer}, "answer is", True)
    broken = FailedCall("refine", 1, "truncated", failed, failed, "vote")
    made = plan(SMALL, Budget())
    rounds = (RoundRecord(("",), (draft,), (), (0,)), RoundRecord((workspace, ""), (other,), (broken,), (3, None)))
    record = RunRecord(made, rounds, (broken,), (), other, {})
    data = RunData.model_validate(json.loads(json.dumps(record.to_dict(), allow_nan=False).encode()))
    text = shown(data)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    page(data)


@given(text=st.text(max_size=200), width=st.integers(2, 30))
def test_wrapped_lines_fit_and_lose_nothing_but_space(text: str, width: int) -> None:
    lines = list(wrapped(text, width))
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
