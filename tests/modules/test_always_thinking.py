"""Helpers of models that think whatever they are told, and of those that a workflow lets think."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dspy
import pytest
from fakes.stages import by_stage, stage_of
from fakes.thinker import Thinker
from fakes.vllm import Call, FakeVLLM, Reply

from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.modules import PDR, RunRecord
from pdr_dspy.workflow import Pick, Round, Summary, Top, Workflow, load_workflow

PROGRAMS = Path(__file__).parents[2] / "programs"
WITH_HELPERS = ("pdr", "pdr_small", "best_of_n", "genselect", "sr_analysis")
SUMMARY = Workflow(name="s", rounds=(Round(width=4, distill=Summary(tokens=64)), Round(width=1)))
EACH = Workflow(
    name="e", rounds=(Round(width=4, distill=Top(k=2, shared=False, tokens=512)), Round(width=3)), close="vote"
)
GOT_AWAY = "t5 t6 t7"
"""Words of every thinking; no workspace may have them."""

Model = Callable[[Call], Reply]


def thinking(words: int, **how: object) -> Model:
    """A model that thinks so many words before anything it writes, told or not."""

    def answer(call: Call) -> Reply:
        asked = call
        if call.body.get("continue_final_message"):
            asked = replace(call, body={**call.body, "messages": call.messages[:-1]})
        return Thinker(thinking=words, answer=" ok" if call.is_probe else by_stage(asked), **how)(call)  # type: ignore[arg-type]

    return answer


def channels(call: Call) -> Reply:
    """gpt-oss behind a server that leaves the channels in the text."""
    thoughts = "".join(f" t{i}" for i in range(600))
    head, close = "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"
    return Reply(text=f"{head}{thoughts}{close}{'ok' if call.is_probe else by_stage(call)}")


MODELS: dict[str, Model] = {
    "in a field of its own": thinking(600, parser=True, cap="ignored"),
    "in the text": thinking(600, cap="refused"),
    "in the text, opened by the template": thinking(600, opens=True, cap="ignored"),
    "in channels": channels,
}


@pytest.fixture
def model() -> Iterator[FakeVLLM]:
    with FakeVLLM(context=32_768) as server:
        yield server


@pytest.fixture
def endpoint(model: FakeVLLM) -> Iterator[Endpoint]:
    with Endpoint.open(EndpointSettings(urls=(model.url,), retries=1)) as opened:
        yield opened


def solve(endpoint: Endpoint, workflow: Workflow, budget: str | None = "tokens=16k") -> RunRecord:
    with dspy.context(lm=endpoint.lm):
        record = PDR("problem -> answer", workflow, budget=budget)(problem="How many?").run
    assert isinstance(record, RunRecord)
    assert not any(GOT_AWAY in workspace for each in record.rounds for workspace in each.workspaces)
    assert record.meters.seq_generated <= record.plan.path_tokens
    return record


def helpers(model: FakeVLLM) -> list[Call]:
    return [
        c for c in model.calls if not c.body.get("continue_final_message") and stage_of(c) not in ("draft", "refine")
    ]


@pytest.mark.parametrize("how", MODELS)
@pytest.mark.parametrize("name", WITH_HELPERS)
def test_no_helper_of_a_preset_is_left_without_tokens(model: FakeVLLM, endpoint: Endpoint, name: str, how: str) -> None:
    model.answer = MODELS[how]
    if "opened" in how:  # nothing in a text that was cut tells it: the probe does
        model.opens, model.answer_probes = "<think>", True
    workflow = load_workflow(PROGRAMS / f"{name}.yaml")
    first = solve(endpoint, workflow)
    # At most the call that showed it came to nothing, and it was asked once more.
    assert len(first.failed) <= 1 and not first.fallbacks
    assert endpoint.thinks_always
    again = solve(endpoint, workflow)
    assert not again.failed
    wanted = [step for step in again.plan.steps if step.stage not in ("draft", "refine")]
    assert wanted and all((step.caps.thinking or 0) >= 600 for step in wanted)
    assert again.plan.path_tokens <= 16_000


@pytest.mark.parametrize("name", sorted(p.stem for p in PROGRAMS.glob("*.yaml") if p.stem not in WITH_HELPERS))
def test_a_preset_without_helpers_asks_nothing_of_this(model: FakeVLLM, endpoint: Endpoint, name: str) -> None:
    model.answer = MODELS["in a field of its own"]
    assert not solve(endpoint, load_workflow(PROGRAMS / f"{name}.yaml")).failed
    assert not endpoint.thinks_always


@pytest.mark.parametrize("cap", ["kept", "ignored", "refused"])
@pytest.mark.parametrize("parser", [True, False])
def test_a_thinking_without_end_is_kept_to_its_cap(model: FakeVLLM, endpoint: Endpoint, cap: str, parser: bool) -> None:
    model.answer = thinking(5000, cap=cap, parser=parser)
    for _ in range(2):
        record = solve(endpoint, load_workflow(PROGRAMS / "pdr_small.yaml"))
        assert record.rounds[1].workspaces == ("notes on 8 drafts",)
        assert record.rounds[1].drafts and not record.fallbacks


def test_a_call_that_showed_it_is_asked_once_more_and_both_are_on_record(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = MODELS["in a field of its own"]
    record = solve(endpoint, SUMMARY)
    first, second = helpers(model)
    assert first.body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "thinking_token_budget" not in first.body
    assert "chat_template_kwargs" not in second.body and second.body["max_tokens"] == 1024 + 64 + 24
    assert [(f.stage, f.kind, f.fallback) for f in record.failed] == [("distill", "truncated", "")]
    taken = [r for r in record.records if r.stage == "distill"]
    assert [r.outcome for r in taken] == ["truncated", "ok"]
    # The second followed the first: the path has both.
    assert record.meters.seq_calls == 4
    assert record.meters.total_generated == model.completion_tokens
    assert any("thinks though it is told not to" in w for w in endpoint.stats.warnings)


def test_parallel_picks_are_each_asked_once_more(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = MODELS["in a field of its own"]
    record = solve(endpoint, EACH)
    assert [f.kind for f in record.failed] == ["truncated"] * 3 and not record.fallbacks
    assert len(helpers(model)) == 6
    assert not solve(endpoint, EACH).failed


def test_a_later_helper_of_the_same_run_is_told_in_time(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = MODELS["in a field of its own"]
    rounds = (*(Round(width=2, distill=Summary(tokens=64)) for _ in range(2)), Round(width=2))
    record = solve(endpoint, Workflow(name="t", rounds=rounds, close="pick"))
    assert [(f.stage, f.kind) for f in record.failed] == [("distill", "truncated")]
    assert [c.body["max_tokens"] for c in helpers(model)] == [88, 1024 + 88, 1024 + 88, 1024 + 40]


def test_without_tokens_left_over_the_drafts_answers_are_read(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = MODELS["in a field of its own"]
    rounds = (
        Round(width=2, thinking=610, answer=20, distill=Summary(tokens=64)),
        Round(width=1, thinking=610, answer=20),
    )
    record = solve(endpoint, Workflow(name="t", rounds=rounds), "tokens=1348")
    assert [f.fallback for f in record.failed if f.stage == "distill"] == ["answers"]


@pytest.mark.parametrize("how", MODELS)
def test_the_probe_shows_it_before_a_call_fails(model: FakeVLLM, endpoint: Endpoint, how: str) -> None:
    model.answer, model.answer_probes = MODELS[how], True
    model.opens = "<think>" if "opened" in how else ""
    record = solve(endpoint, SUMMARY)
    assert not record.failed and endpoint.thinks_always
    assert len(helpers(model)) == 1
    assert next(s for s in record.plan.steps if s.stage == "distill").caps.thinking == 1024


def test_a_model_that_can_be_told_is_told_as_ever(model: FakeVLLM, endpoint: Endpoint) -> None:
    def hybrid(call: Call) -> Reply:
        told = call.body.get("chat_template_kwargs") == {"enable_thinking": False}
        return Reply(text=by_stage(call), reasoning=None if told else " t" * 50)

    model.answer = hybrid
    for _ in range(2):
        assert not solve(endpoint, SUMMARY).failed
    assert endpoint.thinks_always is False
    assert [c.body["max_tokens"] for c in helpers(model)] == [64 + 24] * 2
    assert all("thinking_token_budget" not in c.body for c in helpers(model))


def test_a_workflow_says_how_much_its_helpers_think(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = thinking(20, parser=True)
    rounds = (Round(width=2, distill=Summary(tokens=64, thinking=300)), Round(width=2))
    workflow = Workflow(name="t", rounds=rounds, close=Pick(kind="pick", thinking=200))
    record = solve(endpoint, workflow)
    assert not record.failed
    bodies = [c.body for c in helpers(model)]
    assert [(b["max_tokens"], b["thinking_token_budget"]) for b in bodies] == [(300 + 88, 300), (200 + 40, 200)]
    assert not any("chat_template_kwargs" in b for b in bodies)
    assert not endpoint.thinks_always  # nobody told it not to


def test_off_is_never_a_cap(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = MODELS["in a field of its own"]
    rounds = (Round(width=2, distill=Summary(tokens=64, thinking="off")), Round(width=1))
    for _ in range(2):
        record = solve(endpoint, Workflow(name="t", rounds=rounds))
        assert [f.fallback for f in record.failed] == ["answers"]
    assert endpoint.thinks_always
    assert [c.body["max_tokens"] for c in helpers(model)] == [88, 88]
