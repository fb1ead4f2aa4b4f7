"""What goes over the wire in each format, and which format is used."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Literal

import dspy
import pytest
from fakes.vllm import Call, FakeVLLM, Reply

from pdr_dspy.endpoint import Endpoint, EndpointSettings, Secret
from pdr_dspy.modules import PDR
from pdr_dspy.workflow import FORMATS, Format, build_workflow

PROBLEM = "What is 7 + 3?"
ANSWERS: dict[Format, str] = {
    "plain": "work\nAnswer: 42",
    "markers": "[[ ## solution ## ]]\nwork\n\n[[ ## answer ## ]]\n42\n\n[[ ## completed ## ]]",
    "json": '{"solution": "work", "answer": 42}',
    "xml": "<solution>\nwork\n</solution>\n<answer>\n42\n</answer>",
}


def program(form: Format | None = None, signature: Any = "problem -> answer: int", distill: bool = False) -> PDR:
    first = {"width": 2, "distill": {"kind": "summary", "tokens": 64}}
    rounds = [first, {"width": 1}] if distill else [{"width": 1}]
    return PDR(
        signature, build_workflow({"name": "x", "rounds": rounds, "prompts": {"format": form}}), budget="tokens=1k"
    )


def served(
    server: FakeVLLM, run: Callable[[], dspy.Prediction], adapter: dspy.Adapter | None = None
) -> dspy.Prediction:
    settings = EndpointSettings((server.url,), api_key=Secret(""), retries=0)
    with Endpoint.open(settings) as endpoint, dspy.context(lm=endpoint.lm, adapter=adapter):
        return run()


@pytest.mark.parametrize("form", FORMATS)
def test_a_draft_is_asked_and_read_in_its_format(form: Format) -> None:
    with FakeVLLM(answer=ANSWERS[form]) as server:
        found = served(server, lambda: program(form)(problem=PROBLEM))
        assert (found.answer, found.reasoning, found.run.drafts[0].read) == (42, "work", "marks")
        (call,) = server.calls
        assert PROBLEM in call.prompt and ("response_format" in call.body) == (form == "json")


def test_plain_asks_as_a_person_would() -> None:
    with FakeVLLM(answer=ANSWERS["plain"]) as server:
        served(server, lambda: program("plain", distill=True)(problem=PROBLEM))
        draft, distill, refine = server.calls[0], server.calls[2], server.calls[3]
        for call in (draft, distill, refine):
            assert [message["role"] for message in call.messages] == ["user"]
            assert call.prompt.startswith(f"{PROBLEM}\n\n")  # what the prefix cache can share
            assert "[[" not in call.prompt and "limit" not in call.prompt
        assert draft.prompt.endswith("Give the final answer on the last line, as `Answer: ...` (a whole number).")
        assert 'Drafts:\n<draft id="1">\nwork\nanswer: 42\n</draft>' in distill.prompt
        assert distill.prompt.endswith("Write at most 44 words.")
        assert "Notes from earlier attempts (they may be wrong):\nwork\nAnswer: 42\n" in refine.prompt


@pytest.mark.parametrize(("question", "context"), [(PROBLEM, ""), ("", PROBLEM)])
def test_plain_leaves_out_an_input_that_a_problem_does_not_have(question: str, context: str) -> None:
    with FakeVLLM(answer=ANSWERS["plain"]) as server:
        asked = program("plain", "question, context -> answer: int")
        assert served(server, lambda: asked(question=question, context=context)).answer == 42
        assert server.calls[0].prompt.startswith(f"{PROBLEM}\n\n")


def test_several_inputs_are_labelled_and_demonstrations_are_turns() -> None:
    asked = program("plain", "question, context -> answer, sure: Literal['yes', 'no']")
    asked.draft.demos = [{"question": "q1", "context": "c1", "solution": "s1", "answer": "a1", "sure": "no"}]
    with FakeVLLM(answer="work\nAnswer: 42\nSure: yes") as server:
        found = served(server, lambda: asked(question="q2", context="c\n2"))
        assert (found.answer, found.sure) == ("42", "yes")
        first, demo, last = server.calls[0].messages
        assert first["content"].startswith("Question: q1\n\nContext: c1\n\n")
        assert demo == {"role": "assistant", "content": "s1\n\nAnswer: a1\nSure: no"}
        assert last["content"].startswith("Question: q2\n\nContext:\nc\n2\n\n")
        assert last["content"].endswith("End with these lines:\nAnswer: ...\nSure: (one of: yes, no)")


def test_types_are_told_in_words() -> None:
    signature = dspy.Signature("q -> count: int | None, names: list[str]").prepend(
        "when", dspy.OutputField(), type_=date
    )
    typed = program("plain", signature)
    with FakeVLLM(answer='When: 2024-05-01\nCount: None\nNames: ["a"]') as server:
        found = served(server, lambda: typed(q="?"))
        assert (found.when, found.count, found.names) == (date(2024, 5, 1), None, ["a"])
        assert server.calls[0].prompt.endswith(
            "When: (a date, as 2024-05-01)\nCount: (a whole number, or None)\nNames: (a JSON list of texts)"
        )


@pytest.mark.parametrize(
    ("form", "adapter", "card", "used"),
    [
        (None, None, {}, "plain"),
        (None, None, {"format": "xml"}, "xml"),
        (None, None, {"format": "morse"}, "plain"),
        (None, dspy.ChatAdapter(), {"format": "xml"}, "markers"),
        ("json", dspy.ChatAdapter(), {"format": "xml"}, "json"),
    ],
)
def test_the_workflow_names_the_format_else_the_user_else_the_models_card(
    form: Format | None, adapter: dspy.Adapter | None, card: dict[str, str], used: Literal["plain", "markers"]
) -> None:
    with FakeVLLM(answer=ANSWERS[used]) as server:
        server.card = card
        found = served(server, lambda: program(form)(problem=PROBLEM), adapter)
        assert (found.answer, found.run.drafts[0].read) == (42, "marks")


def test_another_adapters_unreadable_answer_is_read_leniently() -> None:
    with FakeVLLM(answer="So there are **42**.") as server:
        adapter = dspy.ChatAdapter(use_json_adapter_fallback=False)
        found = served(server, lambda: program()(problem=PROBLEM), adapter)
        assert (found.answer, found.run.drafts[0].read) == (42, "last line")


def test_a_server_that_refuses_a_schema_is_asked_without_one() -> None:
    def refusing(call: Call) -> Reply:
        if "response_format" in call.body:
            return Reply(status=400, message="response_format of type json_schema is not supported")
        return Reply(text=ANSWERS["json"])

    with FakeVLLM(answer=refusing) as server:
        settings = EndpointSettings((server.url,), api_key=Secret(""), retries=0)
        with Endpoint.open(settings) as endpoint, dspy.context(lm=endpoint.lm):
            for _ in range(2):
                assert program("json")(problem=PROBLEM).answer == 42
            assert [w for w in endpoint.stats.warnings if "response_format" in w]
        assert ["response_format" in call.body for call in server.calls] == [True, False, False]


def test_a_draft_that_was_cut_off_behind_its_answer_is_one() -> None:
    with FakeVLLM(answer=Reply(text="The answer is 42.\nThe answer is 42.\nThe ans", finish="length")) as server:
        found = served(server, lambda: program("plain")(problem=PROBLEM))
        assert (found.answer, found.run.drafts[0].read) == (42, "answer is")
        assert [record.outcome for record in found.run.records if record.stage == "draft"] == ["truncated"]
