"""A `PDR` over a plain `dspy.LM`: it works, says once what it loses, and takes no half answer for a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import dspy
import pytest
from fakes.stages import by_stage, fields, stage_of
from fakes.vllm import Call, FakeVLLM, Reply

from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import Truncated, WorkflowFailed
from pdr_dspy.modules import PDR, plain_lm
from pdr_dspy.workflow import Round, Summary, Workflow
from pdr_dspy.workspace import ByteTokenizer, EstimatedTokenizer

SMALL = Workflow(name="small", rounds=(Round(width=3, distill=Summary(tokens=32)), Round(width=1)))


@pytest.fixture
def lm(model: FakeVLLM) -> Iterator[dspy.LM]:
    made = dspy.LM("hosted_vllm/fake-model", api_base=model.url, cache=False, num_retries=0)
    with dspy.context(lm=made, adapter=dspy.ChatAdapter(use_json_adapter_fallback=False)):
        yield made


def solve(**options: Any) -> dspy.Prediction:
    return PDR("problem -> answer", SMALL, **{"budget": "tokens=2k", **options})(problem="q")


@pytest.mark.usefixtures("lm")
def test_it_works_and_is_recorded(model: FakeVLLM) -> None:
    record = solve().run
    assert [stage_of(c) for c in model.calls] == ["draft"] * 3 + ["distill", "refine"]
    assert record.meters.total_generated == model.metrics()["vllm:generation_tokens_total"]
    assert {(r.outcome, r.finish) for r in record.records} == {("ok", "stop")}


def test_what_it_loses_is_said_once_for_each_lm(
    lm: dspy.LM, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    plain_lm._told.clear()
    solve()
    solve()
    assert caplog.text.count("is a plain dspy.LM") == 1
    assert "hosted_vllm/fake-model" in caplog.text and "estimated tokens" in caplog.text
    with dspy.context(lm=lm.copy(model="hosted_vllm/other")):
        plain_lm.say_what_is_lost(dspy.settings.lm)
    assert caplog.text.count("is a plain dspy.LM") == 2
    caplog.clear()
    with dspy.context(lm=endpoint.lm):
        solve()
    assert "plain dspy.LM" not in caplog.text


@pytest.mark.usefixtures("lm")
def test_kappa_is_counted_in_tokens_and_not_in_bytes(model: FakeVLLM) -> None:
    notes = "a note of some words here"  # 25 bytes: within 32 tokens whatever the tokenizer
    model.answer = lambda call: fields(workspace=f"{notes} {notes}") if stage_of(call) == "distill" else by_stage(call)
    assert solve().run.rounds[1].workspaces == (f"{notes} {notes}",)
    model.answer = lambda call: fields(workspace="note " * 40) if stage_of(call) == "distill" else by_stage(call)
    (workspace,) = solve().run.rounds[1].workspaces
    assert len(workspace) == 3 * 32


@pytest.mark.usefixtures("lm")
def test_an_answer_that_was_cut_is_not_a_whole_one(model: FakeVLLM) -> None:
    def cut(call: Call) -> Reply | str:
        if stage_of(call) == "distill":
            return by_stage(call)
        return Reply(text="[[ ## solution ## ]]\nand so on and", finish="length")

    model.answer = cut
    with pytest.raises(WorkflowFailed) as caught:
        solve()
    assert isinstance(caught.value.cause, Truncated)
    assert {r.outcome for r in caught.value.record.records} == {"truncated"}


@pytest.mark.usefixtures("lm")
def test_a_draft_that_was_cut_behind_its_answer_says_so(model: FakeVLLM) -> None:
    def cut(call: Call) -> Reply | str:
        text = by_stage(call)
        return Reply(text=text, finish="length") if stage_of(call) == "draft" else text

    model.answer = cut
    record = solve().run
    assert [draft.cut for draft in record.rounds[0].drafts] == [True] * 3
    assert [r.outcome for r in record.records] == ["truncated"] * 3 + ["ok"] * 2


@pytest.mark.usefixtures("lm")
def test_a_summary_that_was_cut_is_used_to_kappa_and_counted(model: FakeVLLM) -> None:
    def cut(call: Call) -> Reply | str:
        if stage_of(call) == "distill":
            return Reply(text="[[ ## workspace ## ]]\n" + "note " * 20, finish="length")
        return by_stage(call)

    model.answer = cut
    record = solve().run
    assert record.dropped == {"truncated": 1}
    assert record.rounds[1].workspaces[0].startswith("note note")


@pytest.mark.usefixtures("lm")
def test_the_total_of_a_budget_holds(model: FakeVLLM) -> None:
    model.answer = lambda call: "and on " * 5000
    with pytest.raises(WorkflowFailed) as caught:
        solve(budget="tokens=600,total=900")
    assert caught.value.record.meters.b_total <= 900


def test_tokenizers_by_the_name_of_a_model() -> None:
    openai = plain_lm.tokenizer_of(dspy.LM("openai/gpt-4o", api_key="x"))
    assert openai.count("hello world") == 2
    assert openai.cut("hello world", 1) == "hello"
    other = plain_lm.tokenizer_of(dspy.LM("anthropic/claude", api_key="x"))
    assert isinstance(other, EstimatedTokenizer)


@pytest.mark.parametrize("text", ["", "a", "abcd", "words and more words", "héé", "漢字漢字", "🙂🙂🙂"])
@pytest.mark.parametrize("tokens", [0, 1, 2, 5])
def test_the_estimate_cuts_as_it_counts(text: str, tokens: int) -> None:
    tokenizer = EstimatedTokenizer()
    prefix = tokenizer.cut(text, tokens)
    assert text.startswith(prefix) and tokenizer.count(prefix) <= tokens
    assert tokenizer.count(text) <= ByteTokenizer().count(text)
    assert prefix == text or tokenizer.count(text[: len(prefix) + 1]) > tokens


class Synchronous(dspy.BaseLM):
    """Somebody's LM, in the old way and synchronous alone."""

    def __init__(self) -> None:
        super().__init__(model="mine/one")

    def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        message = SimpleNamespace(content=fields(solution="s", answer="42", workspace="w"), tool_calls=None)
        usage = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
        choices = [SimpleNamespace(message=message, finish_reason="stop")]
        return SimpleNamespace(choices=choices, usage=usage, model="mine")


@pytest.mark.filterwarnings("ignore")
def test_an_lm_that_is_synchronous_alone() -> None:
    with dspy.context(lm=Synchronous(), adapter=dspy.ChatAdapter(use_json_adapter_fallback=False)):
        found = solve()
    assert found.answer == "42"
    assert (found.run.meters.calls, found.run.meters.total_generated) == (5, 35)


def test_what_is_no_lm_is_said_by_dspy(caplog: pytest.LogCaptureFixture) -> None:
    with dspy.context(lm="openai/gpt-4o-mini"), pytest.raises(ValueError, match="not a string"):
        solve()
    assert "plain dspy.LM" not in caplog.text
