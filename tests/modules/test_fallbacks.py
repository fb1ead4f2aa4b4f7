"""Nothing paid for is lost: what a run goes on with where helpers, rounds of refinements or the clock fail."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import dspy
import pytest
from fakes.predictors import HANG, Asked
from fakes.stages import by_stage, field, fields, stage_of
from fakes.vllm import HANG as HANGING
from fakes.vllm import Call, FakeVLLM, Reply, overflow
from hypothesis import given, settings
from hypothesis import strategies as st

from pdr_dspy.budget import Budget
from pdr_dspy.calls import CallTag
from pdr_dspy.endpoint import Endpoint
from pdr_dspy.errors import (
    BudgetExhausted,
    CallError,
    ContextOverflow,
    EmptyAnswer,
    EndpointError,
    ServerFailure,
    Truncated,
    Unparseable,
    WorkflowFailed,
)
from pdr_dspy.modules import PDR
from pdr_dspy.modules.fallbacks import once
from pdr_dspy.modules.records import RunRecord
from pdr_dspy.workflow import (
    Analysis,
    Distill,
    Previous,
    Round,
    Summary,
    Top,
    Workflow,
    dump_workflow,
    parse_workflow,
    plan,
)
from pdr_dspy.workspace import ByteTokenizer
from tests.workflow.strategies import workflows


def two(distill: Distill, width: int = 4, after: int = 1, **options: object) -> Workflow:
    """A round of drafts, a distiller, and a round of refinements."""
    rounds = (Round(width=width, distill=distill), Round(width=after))
    return Workflow(name="w", rounds=rounds, close="vote" if after > 1 else "single", **options)  # type: ignore[arg-type]


SUMMARY = two(Summary(tokens=200))
PICKED = Workflow(name="p", rounds=(Round(width=4),), close="pick")
BUDGET = Budget(tokens=4000)


def failing(stage: str, *errors: CallError) -> Asked:
    """Every call of a stage fails: with the first error, the second, ..., again and again."""
    return Asked(lambda tag: errors[tag.index % len(errors)] if tag.stage == stage else None)


def fallbacks(record: RunRecord) -> list[tuple[str, int, str, str]]:
    return [(f.stage, f.index, f.kind, f.fallback) for f in record.failed]


# Helpers


@pytest.mark.parametrize("text", ["All say 42.", "[[ ## workspace ## ]]\nAll say 42."])
def test_what_a_cut_summary_says_is_the_workspace(text: str) -> None:
    _, record = failing("distill", Truncated("cap", text)).solve(SUMMARY, BUDGET)
    assert record.rounds[1].workspaces == ("All say 42.",)
    assert fallbacks(record) == [("distill", 0, "truncated", "unmarked")]
    assert record.failed[0].text == text
    assert record.fallbacks == record.failed


def test_an_unmarked_summary_is_the_workspace(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = lambda call: "All say 42." if stage_of(call) == "distill" else by_stage(call)
    with dspy.context(lm=endpoint.lm):
        record = PDR("problem -> answer", SUMMARY, budget="tokens=2k")(problem="?").run
    assert record.rounds[1].workspaces == ("All say 42.",)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Three say 42.\n" + "One says 41.\n" * 9 + "One sa", "Three say 42.\nOne says 41."),
        ("All say 42. " + "The key steps are right. " * 9 + "The", "All say 42. The key steps are right."),
        ("- 42\n- 42\n- 42\n- 42", "- 42\n- 42\n- 42\n- 42"),  # so short that it may be meant
        ("It is 10" + "0" * 60, "It is 10" + "0" * 60),
        ("One says 41. One says 41. Two say 42.", "One says 41. One says 41. Two say 42."),
    ],
)
def test_of_a_summary_that_went_round_in_circles_one_round_is_left(text: str, left: str) -> None:
    _, record = failing("distill", Truncated("cap", text)).solve(SUMMARY, BUDGET)
    assert record.rounds[1].workspaces == (left,)
    assert record.failed[0].text == text


@given(st.text(alphabet="ab. \n", max_size=40), st.text(alphabet="ab. \n", min_size=1, max_size=20), st.integers(0, 9))
def test_what_goes_round_in_circles_is_left_as_a_beginning_of_the_text(head: str, loop: str, times: int) -> None:
    text = head + loop * times
    assert text.startswith(once(text))


def test_a_cut_summary_keeps_to_kappa_and_has_no_thinking() -> None:
    _, record = failing("distill", Truncated("cap", f"<think>hm</think>{'w' * 500}")).solve(SUMMARY, BUDGET)
    assert record.rounds[1].workspaces == ("w" * 200,)


@pytest.mark.parametrize(
    "error",
    [
        EmptyAnswer("nothing"),
        ServerFailure("500"),
        ContextOverflow("too long"),
        Truncated("all of it thinking", ""),
        Unparseable("nothing but thinking", "<think>42 42 42"),
    ],
)
def test_the_drafts_answers_stand_in_for_a_summary(error: CallError) -> None:
    _, record = failing("distill", error).solve(SUMMARY, BUDGET)
    (workspace,) = record.rounds[1].workspaces
    assert workspace.splitlines() == [f"{i + 1}. answer: draft 0.{i}" for i in range(4)]
    assert fallbacks(record) == [("distill", 0, error.kind, "answers")]


@pytest.mark.parametrize(("kappa", "most"), [(1, 0), (20, 0), (40, 1), (79, 2)])
def test_where_kappa_has_no_room_for_the_answers_drafts_stand_in(kappa: int, most: int) -> None:
    workflow = Workflow(name="w", rounds=(Round(width=4, distill=Summary(tokens=kappa)), Round(width=2)), close="vote")
    _, record = failing("distill", ServerFailure("500")).solve(workflow, BUDGET)
    for workspace in record.rounds[1].workspaces:
        assert 0 < ByteTokenizer().count(workspace) <= kappa
        assert workspace.count("<draft id=") == most
    assert fallbacks(record) == [("distill", 0, "server", "random")]


def test_drafts_drawn_at_random_stand_in_for_a_pick() -> None:
    _, record = failing("pick", Unparseable("prose", "Hard to say.")).solve(two(Top(k=2, tokens=300), after=3), BUDGET)
    assert all(w.count("<draft id=") == 2 for w in record.rounds[1].workspaces)
    assert fallbacks(record) == [("pick", 0, "unparseable", "random")]
    again = failing("pick", Unparseable("prose", "Hard to say.")).solve(two(Top(k=2, tokens=300), after=3), BUDGET)
    assert again[1].rounds[1].workspaces == record.rounds[1].workspaces


def test_each_branch_whose_pick_fails_gets_a_draw_of_its_own() -> None:
    asked = Asked(lambda tag: ServerFailure("500") if tag.stage == "pick" and tag.index % 2 else None)
    _, record = asked.solve(two(Top(k=2, tokens=300, shared=False), width=8, after=6), BUDGET)
    spaces = record.rounds[1].workspaces
    assert len(spaces) == len(record.rounds[1].drafts) == 6
    assert spaces[0] == spaces[2] == spaces[4]  # as picked
    assert len(set(spaces)) > 2 and all(w.count("<draft id=") == 2 for w in spaces)
    assert sorted(fallbacks(record)) == [("pick", i, "server", "random") for i in (1, 3, 5)]


@pytest.mark.parametrize(
    ("error", "fallback"), [(EmptyAnswer("nothing"), "previous"), (Truncated("cap", "wrong sign"), "unmarked")]
)
def test_the_previous_draft_stands_in_for_an_analysis(error: CallError, fallback: str) -> None:
    _, record = failing("analyse", error).solve(two(Analysis(tokens=300), width=1), BUDGET)
    (workspace,) = record.rounds[1].workspaces
    assert "solution of draft 0.0" in workspace
    assert ("wrong sign" in workspace) == (fallback == "unmarked")
    assert fallbacks(record) == [("analyse", 0, error.kind, fallback)]


def test_a_closing_pick_that_fails_is_the_vote_over_the_round() -> None:
    answers = ["7", "42", "42", "9"]
    asked = Asked(lambda tag: answers[tag.index] if tag.stage == "draft" else EmptyAnswer("nothing"))
    draft, record = asked.solve(PICKED, BUDGET)
    assert draft.outputs == {"answer": "42"}
    assert fallbacks(record) == [("pick", 0, "empty", "vote")]


# Rounds


def test_refinements_that_all_fail_leave_the_vote_over_the_round_before() -> None:
    answers = ["7", "42", "42", "9"]

    def script(tag: CallTag) -> CallError | str | None:
        if tag.stage == "draft":
            return answers[tag.index]
        return Unparseable("I cannot", "I cannot.") if tag.stage == "refine" else None

    asked = Asked(script)
    draft, record = asked.solve(two(Summary(tokens=200), after=3), BUDGET)
    assert draft.outputs == {"answer": "42"}
    assert [f.fallback for f in record.failed] == ["", "", "vote"]
    assert record.rounds[1].failed == record.failed
    assert asked.answers == answers


MENTIONED = Truncated("cap", "The answer is 5.\nThe answer is 6.\nI will now")
"""A text that goes on behind an answer it mentions until it is cut off."""


def test_a_refinement_that_goes_on_behind_its_answer_until_it_is_cut_off_leaves_the_vote() -> None:
    draft, record = failing("refine", MENTIONED).solve(SUMMARY, BUDGET)
    assert draft == record.rounds[0].drafts[0]
    assert fallbacks(record) == [("refine", 0, "truncated", "vote")]
    assert record.failed[0].text.startswith("The answer is 5.")
    assert record.rounds[1].drafts[0].outputs == {"answer": "6"}  # still on record as it was read


@pytest.mark.parametrize(
    "text", ["Answer: 6\nI will now", "[[ ## answer ## ]]\n6\n\nI will now", "\\boxed{6} and I will"]
)
def test_a_refinement_that_is_cut_off_behind_a_marked_answer_counts(text: str) -> None:
    draft, record = failing("refine", Truncated("cap", text)).solve(SUMMARY, BUDGET)
    assert (draft.outputs, draft.cut, fallbacks(record)) == ({"answer": "6"}, True, [])


def test_one_refinement_that_ended_is_enough_for_the_round_to_count() -> None:
    asked = Asked(lambda tag: MENTIONED if tag.stage == "refine" and tag.index else None)
    draft, record = asked.solve(two(Summary(tokens=200), after=3), BUDGET)
    assert [d.ended for d in record.rounds[1].drafts] == [True, False, False]
    assert (draft.outputs, fallbacks(record)) == ({"answer": "6"}, [])


def test_what_is_cut_off_behind_its_answer_counts_where_there_is_nothing_better() -> None:
    both = Asked(lambda tag: MENTIONED if tag.stage in ("draft", "refine") else None)
    draft, record = both.solve(SUMMARY, BUDGET)
    assert (draft.outputs, fallbacks(record)) == ({"answer": "6"}, [])
    off = failing("refine", MENTIONED).solve(two(Summary(tokens=200), fallback="off"), BUDGET)
    assert (off[0].outputs, fallbacks(off[1])) == ({"answer": "6"}, [])


def test_a_chain_falls_back_to_its_previous_draft() -> None:
    rounds = (*(Round(width=1, distill=Previous(tokens=300)) for _ in range(3)), Round(width=1))
    asked = Asked(lambda tag: ContextOverflow("too long") if tag.round == 2 else None)
    draft, record = asked.solve(Workflow(name="sr", rounds=rounds), BUDGET)
    assert draft.outputs == {"answer": "refine 1.0"}
    assert fallbacks(record) == [("refine", 0, "context", "vote")]


def test_a_workspace_that_overflows_the_context_is_a_failed_refinement(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = lambda call: overflow(8192, 9000, 10) if stage_of(call) == "refine" else by_stage(call)
    with dspy.context(lm=endpoint.lm):
        prediction = PDR("problem -> answer", SUMMARY, budget="tokens=2k")(problem="?")
    assert prediction.answer in {d.outputs["answer"] for d in prediction.run.rounds[0].drafts}
    assert [(f.kind, f.fallback) for f in prediction.run.failed] == [("context", "vote")]


# Budgets


def test_when_the_clock_stops_the_drafts_that_came_are_voted_on() -> None:
    asked = Asked(lambda tag: "42" if tag.index < 3 else HANG)
    draft, record = asked.solve(SUMMARY, Budget(tokens=4000, seconds=300))
    assert draft.outputs == {"answer": "42"}
    assert len(record.rounds[0].drafts) == 3
    assert fallbacks(record) == [("draft", 3, "timeout", "best")]
    assert record.rounds[0].failed == record.failed


@pytest.mark.parametrize("stage", ["refine", "distill"])
def test_when_the_clock_stops_without_a_draft_of_the_round_the_one_before_is_voted_on(stage: str) -> None:
    asked = Asked(lambda tag: HANG if tag.stage == stage else None)
    draft, record = asked.solve(SUMMARY, Budget(tokens=4000, seconds=300))
    assert draft.outputs["answer"] in asked.answers
    assert fallbacks(record) == [(stage, 0, "timeout", "best")]


def test_each_branch_that_the_clock_cuts_off_is_on_record() -> None:
    asked = Asked(lambda tag: HANG if tag.stage == "pick" else None)
    workflow = two(Top(k=2, tokens=300, shared=False), after=3)
    _, record = asked.solve(workflow, Budget(tokens=4000, seconds=300))
    assert sorted(f.index for f in record.failed) == [0, 1, 2]
    assert Counter(f.fallback for f in record.failed) == {"best": 1, "": 2}


def test_the_clock_cuts_calls_off_and_leaks_none(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = lambda call: HANGING if stage_of(call) == "refine" else by_stage(call)
    with dspy.context(lm=endpoint.lm):
        prediction = PDR("problem -> answer", two(Summary(tokens=64), after=2), budget="tokens=2k,seconds=2")(
            problem="?"
        )
    assert prediction.answer in {d.outputs["answer"] for d in prediction.run.rounds[0].drafts}
    assert [(f.stage, f.kind, f.fallback) for f in prediction.run.failed][-1] == ("refine", "timeout", "best")
    # Whose clock is first, the call's or the problem's, is chance.
    assert [r.outcome in ("timeout", "cutoff") for r in prediction.run.records if r.stage == "refine"] == [True] * 2
    model.wait(lambda server: server.disconnects == 2 and server.in_flight == 0)


def test_when_the_total_is_used_up_the_best_there_is_is_voted_on() -> None:
    asked = failing("distill", BudgetExhausted("total"))
    draft, record = asked.solve(SUMMARY, BUDGET)
    assert draft.outputs["answer"] in asked.answers
    assert fallbacks(record) == [("distill", 0, "budget", "best")]
    assert len(record.rounds) == 1


# Switched off, or nothing to fall back to


@pytest.mark.parametrize(
    ("workflow", "stage", "error"),
    [
        (SUMMARY, "distill", EmptyAnswer("nothing")),
        (SUMMARY, "refine", EmptyAnswer("nothing")),
        (two(Top(k=2, tokens=300)), "pick", ServerFailure("500")),
        (two(Top(k=2, tokens=300, shared=False), after=3), "pick", ServerFailure("500")),
        (two(Analysis(tokens=300), width=1), "analyse", ServerFailure("500")),
        (PICKED, "pick", ServerFailure("500")),
    ],
)
def test_switched_off_a_failed_step_fails_the_problem(workflow: Workflow, stage: str, error: CallError) -> None:
    off = workflow.model_copy(update={"fallback": "off"})
    with pytest.raises(WorkflowFailed) as caught:
        failing(stage, error).solve(off, BUDGET)
    record = caught.value.record
    assert isinstance(record, RunRecord)
    assert record.drafts and record.failed and not record.fallbacks
    assert record.failed[-1].kind == error.kind and record.failed[-1].text == error.text


def test_switched_off_a_cut_summary_is_still_the_workspace_and_the_clock_fails() -> None:
    off = SUMMARY.model_copy(update={"fallback": "off"})
    _, record = failing("distill", Truncated("cap", "All say 42.")).solve(off, BUDGET)
    assert record.rounds[1].workspaces == ("All say 42.",)
    assert fallbacks(record) == [("distill", 0, "truncated", "")]
    with pytest.raises(WorkflowFailed) as caught:
        Asked(lambda tag: HANG if tag.stage == "refine" else None).solve(off, Budget(tokens=4000, seconds=300))
    assert caught.value.kind == "timeout"
    assert len(caught.value.record.drafts) == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize("written", ["off", "'off'", "no", "false"])
def test_the_switch_is_read_as_people_write_it(written: str) -> None:
    workflow = parse_workflow(f"name: x\nrounds:\n  - {{width: 1}}\nfallback: {written}\n")
    assert workflow.fallback == "off"
    assert parse_workflow(dump_workflow(workflow)) == workflow
    assert parse_workflow("name: x\nrounds:\n  - {width: 1}\nfallback: on\n").fallback == "on"


def test_without_a_draft_the_error_says_what_failed_and_quotes_one_text() -> None:
    asked = failing("draft", Unparseable("no field", "I think\nit is " + "x" * 500), EmptyAnswer("nothing"))
    with pytest.raises(WorkflowFailed) as caught:
        asked.solve(SUMMARY, BUDGET)
    assert "2 unparseable, 2 empty" in str(caught.value)
    assert "I think it is xxx" in str(caught.value) and len(str(caught.value)) < 400
    assert not caught.value.record.fallbacks  # type: ignore[attr-defined]


def test_what_a_failed_call_wrote_is_on_record(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.then(Reply(text="<think>hm</think>no fields at all"), Reply(text=fields(solution="cut"), finish="length"))
    with dspy.context(lm=endpoint.lm):
        record = PDR("problem -> answer, reason", SUMMARY, budget="tokens=2k")
        with pytest.raises(WorkflowFailed) as caught:
            record(problem="?")
    texts = [f.text for f in caught.value.record.failed]  # type: ignore[attr-defined]
    assert any("no fields at all" in t and "hm" not in t for t in texts)
    assert any("cut" in t for t in texts)


def test_an_endpoint_that_refuses_is_never_fallen_back_from(model: FakeVLLM, endpoint: Endpoint) -> None:
    model.answer = lambda call: Reply(status=401) if stage_of(call) == "distill" else by_stage(call)
    with dspy.context(lm=endpoint.lm), pytest.raises(EndpointError):
        PDR("problem -> answer", SUMMARY, budget="tokens=2k")(problem="?")


# What helpers read


@pytest.mark.parametrize("rule", ["Be short.", "Mind this rule. " * 700])
def test_drafts_fit_beside_whatever_else_the_helper_reads(model: FakeVLLM, endpoint: Endpoint, rule: str) -> None:
    def answer(call: Call) -> str:
        if stage_of(call) != "draft":
            return by_stage(call)
        long = int(call.body["seed"]) % 2  # short ones leave their room to the long ones
        return fields(solution=f"begin{' word' * (1400 if long else 10)}", answer="42")

    model.answer = answer
    workflow = two(Summary(tokens=512), width=8)
    signature = dspy.Signature("problem -> answer").with_instructions(rule)
    program = PDR(signature, workflow, budget="tokens=4500")
    program.distill.demos = [dspy.Example(problem="p " * 400, drafts="d " * 400, limit=512, workspace="w " * 100)]
    with dspy.context(lm=endpoint.lm):
        record = program(problem="?").run
    assert not record.failed
    (call,) = [c for c in model.calls if stage_of(c) == "distill"]
    assert field(call, "drafts").count("begin") == 8
    assert model.context - 300 <= call.prompt_tokens + call.body["max_tokens"] <= model.context or rule == "Be short."


def test_where_not_even_the_beginnings_fit_the_answers_are_read(model: FakeVLLM, endpoint: Endpoint) -> None:
    program = PDR("problem -> answer", two(Summary(tokens=512), width=8), budget="tokens=4k")
    program.distill.demos = [dspy.Example(problem="p " * 9000, drafts="d", limit=512, workspace="w")]
    with dspy.context(lm=endpoint.lm):
        record = program(problem="?").run
    assert fallbacks(record) == [("distill", 0, "context", "answers")]


# Any workflow, any failures

ERRORS = (
    Unparseable("no field", ""),
    Truncated("cap", "half of it"),
    Truncated("cap", ""),
    EmptyAnswer("nothing"),
    ServerFailure("500"),
    ContextOverflow("too long"),
)


@settings(max_examples=60)
@given(
    workflows(widest=6),
    st.fixed_dictionaries({s: st.sampled_from([0, 0.4, 1]) for s in ("refine", "distill", "pick", "analyse")}),
    st.sampled_from([0, 0.3, 0.9]),
    st.integers(0, 1 << 32),
    st.none() | st.integers(0, 20_000),
    st.booleans(),
)
def test_whatever_fails_a_run_that_has_a_draft_has_an_answer(
    workflow: Workflow, rates: dict[str, float], drafts: float, seed: int, more: int | None, think: bool
) -> None:
    workflow = workflow.model_copy(update={"fallback": "on"})

    def script(tag: CallTag) -> CallError | None:
        chance = random.Random(f"{seed}/{tag.stage}/{tag.step}/{tag.index}")
        fails = chance.random() < {**rates, "draft": drafts}[tag.stage]
        return chance.choice(ERRORS) if fails else None

    path = plan(workflow, Budget()).path_tokens
    budget = Budget(tokens=int(path / workflow.share) + 1, total=None if more is None else path + 2000 + more)
    asked = Asked(script, thinks_always=think, used=lambda tag, cap: cap // (1 + tag.index % 2))
    try:
        draft, record = asked.solve(workflow, budget)
    except WorkflowFailed as failed:
        assert isinstance(failed.record, RunRecord)
        assert not asked.answers and not failed.record.drafts
        record = failed.record
    else:
        assert draft.outputs["answer"] in asked.answers
        assert draft in record.drafts
    # Every failed call is on record, once; what the budget refused or a quorum cut off never came to a call of ours.
    known = Counter((f.stage, f.index, f.kind) for f in record.failed if f.kind not in ("budget", "cutoff"))
    assert known == Counter(asked.errors)
    # A round that followed another read workspaces within kappa.
    for before, after in pairwise(zip(workflow.rounds, record.rounds, strict=False)):
        kappa = before[0].distill.tokens if before[0].distill else 0
        assert all(ByteTokenizer().count(w) <= kappa for w in after[1].workspaces)
    assert record.meters.seq_generated <= record.plan.path_tokens <= budget.tokens
    assert budget.total is None or record.meters.b_total <= budget.total
