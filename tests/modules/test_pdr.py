"""`PDR` as its users see it: a DSPy module over a signature of theirs."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dspy
import pytest
from fakes.stages import by_stage, field, fields, stage_of
from fakes.vllm import Call, FakeVLLM, Reply
from pydantic import BaseModel

from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import BudgetError, EmptyAnswer, Truncated, Unparseable, WorkflowError, WorkflowFailed
from pdr_dspy.modules import PDR, LongCoT, MajorityVote, SequentialRefinement
from pdr_dspy.workflow import Analysis, Answers, Prompts, Random, Round, Sampling, Summary, Top, Workflow

PDR_8_1 = Workflow(name="pdr", rounds=(Round(width=8, distill=Summary(tokens=64)), Round(width=1)))


def solve(endpoint: Endpoint, workflow: Workflow, **options: object) -> dspy.Prediction:
    with dspy.context(lm=endpoint.lm):
        return PDR("problem -> answer", workflow, **{"budget": "tokens=2k", **options})(problem="How many?")


def stages(model: FakeVLLM) -> list[str]:
    return [stage_of(c) for c in model.calls]


def test_drafts_then_a_summary_then_one_refinement(model: FakeVLLM, endpoint: Endpoint) -> None:
    prediction = solve(endpoint, PDR_8_1)
    assert stages(model) == ["draft"] * 8 + ["distill", "refine"]
    assert field(model.calls[8], "drafts").count("<draft id=") == 8
    assert field(model.calls[9], "workspace") == "notes on 8 drafts"
    assert prediction.answer in {"0", "1", "2"}
    assert prediction.reasoning.startswith("refine")
    assert [len(r.drafts) for r in prediction.run.rounds] == [8, 1]
    assert len({c.body["seed"] for c in model.calls[:8]}) == 8


def test_the_ledger_equals_the_servers_counters(model: FakeVLLM, endpoint: Endpoint) -> None:
    meters = solve(endpoint, PDR_8_1).run.meters
    assert meters.total_generated == model.metrics()["vllm:generation_tokens_total"]
    assert meters.prompt_tokens == model.metrics()["vllm:prompt_tokens_total"]
    assert (meters.calls, meters.seq_calls) == (10, 3)
    assert meters.b_seq < meters.b_total


def test_the_path_keeps_within_the_budget_whatever_the_model_writes(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = lambda call: "and on " * 5000
    with pytest.raises(WorkflowFailed) as caught:
        solve(endpoint, PDR_8_1, budget="tokens=600")
    assert isinstance(caught.value.cause, Truncated)
    assert caught.value.record.meters.seq_generated <= 600
    assert sum(c.body["max_tokens"] for c in {c.body["max_tokens"]: c for c in model.calls}.values()) <= 600


def test_first_drafts_are_the_same_at_any_width(model: FakeVLLM, endpoint: Endpoint) -> None:
    def seeds(width: int) -> set[int]:
        start = len(model.calls)
        workflow = Workflow(name="m", rounds=(Round(width=width, thinking=100, answer=100),), close="vote")
        solve(endpoint, workflow, budget=None)
        return {c.body["seed"] for c in model.calls[start:]}

    assert seeds(4) < seeds(16)


def test_failed_drafts_are_dropped_and_counted(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.then(Reply(text="I can't do that."), Reply(text=None), Reply(text=fields(solution="cut"), finish="length"))
    record = solve(endpoint, PDR_8_1).run
    assert len(record.rounds[0].drafts) == 5
    assert record.dropped == {"unparseable": 1, "empty": 1, "truncated": 1}
    assert field(model.calls[8], "drafts").count("<draft id=") == 5


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(text="I'm sorry, but nothing of the kind."), Unparseable),
        (Reply(text=None), EmptyAnswer),
        (Reply(text="", reasoning="I think"), EmptyAnswer),
        (Reply(text=fields(solution="x"), finish="length"), Truncated),
    ],
)
def test_no_draft_left_is_a_typed_failure_with_its_cause(
    model: FakeVLLM, endpoint: Endpoint, reply: Reply, cause: type[Exception]
) -> None:
    model.answer = lambda call: reply
    with pytest.raises(WorkflowFailed) as caught:
        solve(endpoint, PDR_8_1)
    assert isinstance(caught.value.cause, cause)
    assert caught.value.record.meters.calls == 8
    assert len(model.calls) == 8  # a truncated or unreadable draft is never asked for again in another format


def test_thinking_never_enters_a_workspace(model: FakeVLLM, endpoint: Endpoint) -> None:
    def answer(call: Call) -> Reply:
        text = by_stage(call)
        if int(call.body["seed"]) % 2:
            return Reply(text=f"<think>SECRET THOUGHT</think>{text}")
        return Reply(text=text, reasoning="SECRET THOUGHT")

    model.answer = answer
    top = Workflow(name="top", rounds=(Round(width=4, distill=Top(k=2, tokens=400)), Round(width=1)))
    solve(endpoint, top)
    solve(endpoint, PDR_8_1)
    assert not any("SECRET" in c.prompt for c in model.calls)


def test_each_distiller_reads_what_it_should(model: FakeVLLM, endpoint: Endpoint) -> None:
    def workspaces(distill: object, width: int = 4, after: int = 3) -> list[str]:
        start = len(model.calls)
        rounds = (Round(width=width, distill=distill), Round(width=after))  # type: ignore[arg-type]
        solve(endpoint, Workflow(name="w", rounds=rounds, close="vote" if after > 1 else "single"))
        return [field(c, "workspace") for c in model.calls[start:] if stage_of(c) == "refine"]

    shared = workspaces(Top(k=2, tokens=512))
    assert len(set(shared)) == 1 and shared[0].count("<draft id=") == 2
    own = workspaces(Top(k=2, shared=False, tokens=512))
    assert len(own) == 3 and stages(model).count("pick") == 1 + 3
    drawn = workspaces(Random(k=2, tokens=512))
    assert len(set(drawn)) > 1 and all(w.count("<draft id=") == 2 for w in drawn)
    assert "draft " not in workspaces(Answers(tokens=256))[0].replace("<draft id", "").replace("</draft", "")
    (analysed,) = workspaces(Analysis(tokens=256), width=1, after=1)
    assert "step two is wrong" in analysed


def test_a_branch_whose_pick_fails_is_dropped_alone(model: FakeVLLM, endpoint: Endpoint) -> None:
    broken = iter([True, False, False])
    model.answer = lambda call: "?" if stage_of(call) == "pick" and next(broken) else by_stage(call)
    rounds = (Round(width=4, distill=Top(k=2, shared=False, tokens=512)), Round(width=3))
    record = solve(endpoint, Workflow(name="w", rounds=rounds, close="vote", fallback="off")).run
    assert len(record.rounds[1].drafts) == 2
    assert record.dropped == {"unparseable": 1}


def test_a_summary_longer_than_kappa_is_cut_and_on_record(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = lambda call: fields(workspace="w " * 500) if stage_of(call) == "distill" else by_stage(call)
    record = solve(endpoint, PDR_8_1).run
    (workspace,) = record.rounds[1].workspaces
    assert 0 < len(workspace.split()) <= 64
    assert record.dropped == {"truncated": 1}


def test_a_vote_takes_the_most_frequent_answer(model: FakeVLLM, endpoint: Endpoint) -> None:
    answers = iter(["7", "12", " 12", "012", "9"])
    model.answer = lambda call: fields(solution="s", answer=next(answers))
    with dspy.context(lm=endpoint.lm):
        voted = MajorityVote("problem -> answer", width=5)(problem="?").answer
    # Which of the three spellings is kept depends on which draft the server answered first.
    assert voted.strip() in ("12", "012")


def test_a_closing_pick_chooses_the_draft(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = lambda call: fields(picks=[3]) if stage_of(call) == "pick" else by_stage(call)
    prediction = solve(endpoint, Workflow(name="best", rounds=(Round(width=4),), close="pick"))
    assert prediction.reasoning == prediction.run.rounds[0].drafts[2].solution


def test_quorum_cuts_stragglers_and_says_so(model: FakeVLLM, endpoint: Endpoint) -> None:
    slow = iter([True, True])
    model.answer = lambda call: (
        Reply(text=by_stage(call), delay=30) if stage_of(call) == "draft" and next(slow, False) else by_stage(call)
    )
    rounds = (Round(width=8, quorum=6, distill=Summary(tokens=64)), Round(width=1))
    record = solve(endpoint, Workflow(name="q", rounds=rounds)).run
    assert len(record.rounds[0].drafts) == 6
    assert record.dropped == {"cutoff": 2}
    assert sum(r.outcome == "cutoff" for r in record.records) == 2
    assert record.meters.seconds < 20
    model.wait(lambda server: server.disconnects == 2)


def test_seconds_end_a_problem(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = lambda call: Reply(text=by_stage(call), delay=30)
    with pytest.raises(WorkflowFailed) as caught:
        solve(endpoint, PDR_8_1, budget="tokens=2k,seconds=0.5")
    assert caught.value.kind == "timeout"


def test_total_drops_the_drafts_it_has_no_room_for(model: FakeVLLM, endpoint: Endpoint) -> None:
    record = solve(endpoint, PDR_8_1, budget="tokens=600,total=2500").run
    assert record.meters.b_total <= 2500
    assert 1 <= len(record.rounds[0].drafts) < 8
    assert set(record.dropped) == {"budget"}


def test_total_counts_what_a_lost_answer_may_have_taken(model: FakeVLLM, endpoint: Endpoint) -> None:
    def answer(call: Call) -> Reply | str:  # a failure that may come after the last token and is not tried again
        lost = Reply(status=500, message="This model's maximum context length is 4096 tokens")
        return lost if stage_of(call) in ("draft", "refine") and int(call.body["seed"]) % 2 else by_stage(call)

    model.answer = answer
    rounds = (*(Round(width=5, distill=Summary(tokens=64)) for _ in range(3)), Round(width=1))
    record = solve(endpoint, Workflow(name="lossy", rounds=rounds), budget="tokens=900,total=3k").run
    assert record.meters.uncounted_at_most > 0  # how much depends on which calls were sent before the others ended
    assert record.meters.b_total + record.meters.uncounted_at_most <= 3000
    assert record.dropped["budget"]


class Answer(BaseModel):
    value: int
    unit: str


class Typed(dspy.Signature):
    """Measure."""

    question: str = dspy.InputField()
    facts: list[str] = dspy.InputField()
    solution: Answer = dspy.OutputField()
    sure: bool = dspy.OutputField()


def test_typed_fields_and_a_field_that_has_our_name(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = lambda call: (
        fields(pdr_workspace="notes")
        if "starting with the field `[[ ## pdr_workspace" in call.prompt or "workspace ## ]]`, and" in call.prompt
        else fields(pdr_solution="because", solution='{"value": 3, "unit": "m"}', sure="True")
    )
    workflow = Workflow(name="p", rounds=(Round(width=2, distill=Answers(tokens=64)), Round(width=1)))
    with dspy.context(lm=endpoint.lm):
        prediction = PDR(Typed, workflow, budget="tokens=1k")(question="How long?", facts=["a", "b"])
    assert prediction.solution == Answer(value=3, unit="m")
    assert prediction.sure is True
    assert prediction.reasoning == "because"


def test_sync_async_threads_and_inside_a_program(model: FakeVLLM, endpoint: Endpoint) -> None:
    class Twice(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = LongCoT("problem -> answer")
            self.second = SequentialRefinement("problem, answer -> verdict", rounds=2, budget="tokens=1k")

        def forward(self, problem: str) -> dspy.Prediction:
            return self.second(problem=problem, answer=self.first(problem=problem).answer)

    model.answer = lambda call: (
        fields(solution="s", verdict="good") if "verdict" in call.prompt else fields(solution="s", answer="4")
    )
    program = Twice()
    with dspy.context(lm=endpoint.lm):
        assert program(problem="?").verdict == "good"
        with ThreadPoolExecutor(4) as pool:
            runs = [pool.submit(in_context, endpoint, program) for _ in range(8)]
            assert {r.result() for r in runs} == {"good"}

        async def many() -> set[str]:
            return {str(p.answer) for p in await asyncio.gather(*[program.first.acall(problem="?") for _ in range(5)])}

        assert asyncio.run(many()) == {"4"}
    assert [name for name, _ in program.named_predictors()] == ["first.draft", "second.draft", "second.refine"]


def in_context(endpoint: Endpoint, program: dspy.Module) -> str:
    with dspy.context(lm=endpoint.lm):
        return str(program(problem="?").verdict)


def test_save_and_load_keep_the_predictors_and_no_secret(endpoint: Endpoint, tmp_path: Path) -> None:
    program = PDR("problem -> answer", PDR_8_1)
    program.draft.signature = program.draft.signature.with_instructions("Think hard.")
    program.save(tmp_path / "program.json")
    saved = json.loads((tmp_path / "program.json").read_text())
    assert {"draft", "refine", "distill"} <= set(saved)
    assert all(saved[stage]["lm"] is None for stage in ("draft", "refine", "distill"))
    again = PDR("problem -> answer", PDR_8_1)
    again.load(tmp_path / "program.json")
    assert again.draft.signature.instructions == "Think hard."


def test_prompts_and_sampling_reach_the_wire(model: FakeVLLM, endpoint: Endpoint) -> None:
    prompts, sampling = Prompts(draft="brief"), Sampling(temperature=0.6, top_p=0.9)
    workflow = Workflow(name="c", rounds=(Round(width=1, thinking=64, answer=32),), prompts=prompts, sampling=sampling)
    solve(endpoint, workflow)
    body = model.calls[0].body
    assert "Be brief" in model.calls[0].prompt
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.6, 0.9, 96)
    assert body["thinking_token_budget"] == 64


def test_what_cannot_run_is_refused_before_a_call(model: FakeVLLM, endpoint: Endpoint) -> None:
    with pytest.raises(BudgetError, match="smallest that fits"):
        PDR("problem -> answer", PDR_8_1, budget="tokens=100")
    with pytest.raises(WorkflowError, match=r"rounds\[0\]\.models"):
        PDR("problem -> answer", Workflow(name="moa", rounds=(Round(width=1, models=("a",)),)))
    with pytest.raises(WorkflowError, match=r"prompts\.draft"):
        PDR("problem -> answer", Workflow(name="p", rounds=(Round(width=1),), prompts=Prompts(draft="nonesuch")))
    wide = Workflow(name="w", rounds=(Round(width=2, distill=Summary(tokens=9000)), Round(width=1)))
    with pytest.raises(WorkflowError, match="context"):
        solve(endpoint, wide, budget=None)
    assert model.calls == []


def test_another_lm_works_and_is_accounted_for() -> None:
    replies = [{"solution": "s", "answer": str(i)} for i in range(3)] + [{"workspace": "w"}]
    lm = dspy.utils.DummyLM([*replies, {"solution": "final", "answer": "42"}])
    workflow = Workflow(name="p", rounds=(Round(width=3, distill=Summary(tokens=64)), Round(width=1)))
    with dspy.context(lm=lm):
        prediction = PDR("problem -> answer", workflow, budget="tokens=1k")(problem="?")
    assert prediction.answer == "42"
    assert prediction.run.meters.calls == 5
    assert {r.stage for r in prediction.run.records} == {"draft", "distill", "refine"}


def test_a_bug_behind_another_lm_comes_out_as_it_is() -> None:
    class Broken(dspy.utils.DummyLM):
        async def aforward(self, *args: object, **kwargs: object) -> object:
            raise ZeroDivisionError("a bug")

    with dspy.context(lm=Broken([])), pytest.raises(Exception, match="a bug") as caught:
        LongCoT("problem -> answer")(problem="?")
    assert caught.value.__cause__ is not caught.value
