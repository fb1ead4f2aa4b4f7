"""Proposals by themselves: what is refused, what a space makes of them, and how they are written and paid for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.vllm import Call, FakeVLLM, Reply, too_many
from propose_support import MAGIC, TEXTS, asked_for, both, proposing, writing
from search_support import assert_nothing_paid_twice, problems, solve

from optimize.inputs.problems import Problems
from optimize.proposals.check import leak, longest, objection
from optimize.proposals.join import joined
from optimize.proposals.propose import Slot, propose
from optimize.request.search import SearchRequest
from optimize.space.fitting import make_space
from optimize.space.proposals import Proposals, Refusal
from optimize.space.space import Fixed
from optimize.study.storages import open_storage
from optimize.study.study import Study
from pdr_dspy.budget import parse_budget
from pdr_dspy.data import RULE, Dataset, Problem, load_data
from pdr_dspy.endpoint import Endpoint, FileAllowance, FileStore
from pdr_dspy.errors import EndpointError, InputError, SpendExhausted
from pdr_dspy.workflow import Instruction, dump_workflow, parse_workflow
from pdr_dspy.workspace import ByteTokenizer
from tests.endpoint.support import open_endpoint

SPACE = make_space(parse_budget("tokens=4k"), 8192, topologies=["1", "4-1"])
MADE = Proposals(
    asked=2,
    proposer="m",
    instructions=(
        ("draft", (Instruction(id="grounded-1", text="Look\n  twice."), Instruction(id="reflective-2", text="No."))),
        ("refine", (Instruction(id="grounded-1", text="Anew."),)),
        ("distill", ()),
    ),
    refused=(Refusal("distill", "grounded", "it is empty"),),
)


def test_proposals_are_kept_as_plain_data() -> None:
    assert Proposals.from_dict(json.loads(json.dumps(MADE.as_dict()))) == MADE
    assert MADE.count == 3
    assert MADE.told().splitlines()[:3] == ["  draft=grounded-1: Look", "        twice.", "  draft=reflective-2: No."]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Mind the units.", None),
        ("Mind\n\tthe units.", None),
        (" \n", "empty"),
        ("a\x1b[31mb", "control"),
        ("16\u202fkm\u00a0or so", None),
        ("be  BRIEF.\n", "copy of brief"),
        ("x" * 101, "101 tokens, more than 100"),
        ("x" * 20_001, "20,001 characters"),
    ],
)
def test_what_can_not_be_an_instruction(text: str, why: str | None) -> None:
    said = objection(text, taken={"brief": "Be brief."}, limit=100, tokenizer=ByteTokenizer())
    assert said is None if why is None else said is not None and why in said


def test_a_proposal_is_short_beside_the_context() -> None:
    assert [longest(context) for context in (2048, 8192, 131_072, None)] == [256, 1024, 1024, 1024]


LONG = "Tom has twelve apples and gives five of them to Ann who eats two and then how many are left"
GIVEN = (
    Problem("a", {"problem": LONG}, "17"),
    Problem("b", {"problem": "2x = 8462"}, "4231"),
    Problem("c", {"problem": "good"}, "positive"),
    Problem("d", {"problem": "fine"}, "positive"),
    Problem("e", {"problem": "hm"}, "neutral"),
    Problem("f", {"problem": "?"}, None),
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Use at most 17 lines.", None),  # a short answer by itself says nothing
        (f"For example: {LONG}? That is 17.", "a"),
        (f"For example: {LONG}.", None),
        ("When in doubt write 4231.", "b"),
        ("There are 42310 ways.", None),
        ("Say positive, negative or Neutral.", None),  # a label, and one that the user names
        ("Say nothing.", None),
    ],
)
def test_a_text_that_gives_away_an_answer_is_refused(text: str, problem: str | None) -> None:
    assert leak(text, GIVEN, "Is it positive or neutral?") == (
        None if problem is None else f"it gives away the answer of the problem {problem}"
    )


def test_proposals_join_the_choices_and_stand_in_the_workflow() -> None:
    space = replace(SPACE, proposals=MADE)
    dimensions = space.dimensions()
    assert dimensions["prompt_draft"][-2:] == ("grounded-1", "reflective-2")
    assert dimensions["prompt_distill"] == SPACE.dimensions()["prompt_distill"]
    chosen = {"topology": "4-1", "prompt_draft": "grounded-1", "prompt_refine": "brief"}
    workflow = space.suggest(Fixed(chosen)).workflow
    assert workflow.prompts.own == {"draft": MADE.instructions[0][1][0]} and workflow.prompts.refine == "brief"
    assert parse_workflow(dump_workflow(workflow)) == workflow
    assert Proposals.from_dict(space.fingerprint()["proposals"]) == MADE and "proposals" not in SPACE.fingerprint()

    starters = space.starters()
    assert list(starters) == ["long_cot", "proposed-1", "proposed-2"]
    assert starters["proposed-1"].workflow.prompts.ids["refine"] == "grounded-1"
    assert starters["proposed-2"].workflow.prompts.ids["refine"] == "default"
    assert list(SPACE.starters()) == ["long_cot"]


def test_the_same_id_with_another_text_is_another_point_and_another_space() -> None:
    texts = (Instruction(id="grounded-1", text="a"), Instruction(id="grounded-1", text="b"))
    spaces = [replace(SPACE, proposals=Proposals(1, "m", (("draft", (text,)),))) for text in texts]
    keys = {s.suggest(Fixed({"topology": "1", "prompt_draft": "grounded-1"})).key for s in spaces}
    assert len(keys) == 2 and spaces[0].fingerprint() != spaces[1].fingerprint()


@pytest.mark.parametrize(
    ("topologies", "tried", "stages"),
    [
        (None, "8-1-summary", ("draft", "refine", "distill")),
        (["1", "8-vote"], "1", ("draft",)),
        (["1", "1-1"], "1-1-previous", ("draft", "refine")),
        (["16-4-1", "4-1"], "16-4-1-summary", ("draft", "refine", "distill")),
    ],
)
def test_prompts_are_written_for_the_stages_that_the_search_has(
    topologies: list[str] | None, tried: str, stages: tuple[str, ...]
) -> None:
    candidate, found = make_space(parse_budget("tokens=16k"), 8192, topologies=topologies).for_proposals()
    assert (candidate.workflow.name, found) == (tried, stages)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Six problems."""
    (tmp_path / "d.jsonl").write_text(problems(6), encoding="utf-8")
    return load_data(str(tmp_path / "d.jsonl"), inputs=None, answer=None)


def written(count: int, data: Dataset, endpoint: Endpoint, proposer: Endpoint | None = None) -> Proposals:
    tried, stages = SPACE.for_proposals()
    return propose(count, stages, tried=tried, data=data, searched=endpoint, proposer=proposer or endpoint, seed=0)


def test_proposers_read_the_program_the_data_and_failures_with_feedback(model: FakeVLLM, dataset: Dataset) -> None:
    model.answer = both
    with open_endpoint(model) as endpoint:
        made = written(2, dataset, endpoint)
    assert [stage for stage, _ in made.instructions] == ["draft", "refine", "distill"] and made.refused == ()
    texts = {call.messages[-1]["content"] for call in proposing(model) if asked_for(call) == "proposed_instruction"}
    assert len(texts) == 3
    for text in texts:
        assert "class ParallelDistillRefine" in text and "words on the summary" in text
        assert "words on the program_description" in text and "words on the module_description" in text
        assert "Use the notes where they are right" in text  # every stage's instruction, not the first's alone
    assert all("Problem: say " in text for text in texts)  # right answers as demonstrations
    reflections = [call.messages[-1]["content"] for call in proposing(model) if asked_for(call) == "new_instruction"]
    assert len(reflections) == 3 and all("Wrong." in t or "was wrong." in t for t in reflections)
    assert all("The reference answer is: " in t for t in reflections)
    assert all(call.body["max_tokens"] == 2048 + 1024 for call in proposing(model))


def test_a_proposer_that_goes_away_is_an_error_and_what_it_wrote_is_paid_once(
    model: FakeVLLM, dataset: Dataset, tmp_path: Path
) -> None:
    def gone(call: Call) -> Reply:
        return both(call) if len(proposing(model)) < 9 else Reply(status=404, message="gone")

    model.answer = gone
    store = FileStore(tmp_path / "store")
    with open_endpoint(model, store=store) as endpoint, pytest.raises(EndpointError):
        written(2, dataset, endpoint)
    paid = [call for call in proposing(model) if call.status == 200]
    assert paid  # how many of the eight were answered before the refusal is a matter of pace
    model.answer = both
    with open_endpoint(model, store=store) as endpoint:
        made = written(2, dataset, endpoint)
        before = len(model.calls)
        assert written(2, dataset, endpoint) == made
    assert len(model.calls) == before and made.count == 6
    assert_nothing_paid_twice(model)


def test_a_proposer_that_answers_nothing_but_failures_is_an_error(
    model: FakeVLLM, start_fake: Callable[..., FakeVLLM], dataset: Dataset
) -> None:
    busy = start_fake(context=8192, answer=too_many(0))
    with (
        open_endpoint(model) as endpoint,
        open_endpoint(busy, retries=1) as proposer,
        pytest.raises(EndpointError, match="failed for 6 of 6 proposals"),
    ):
        written(2, dataset, endpoint, proposer)


def test_what_is_refused_is_asked_for_once_more_and_counted(model: FakeVLLM, dataset: Dataset) -> None:
    tries: dict[str, int] = {}

    def answer(call: Call) -> Reply:
        field = asked_for(call)
        if field not in TEXTS:
            return both(call) if field else solve(call)
        tries[field] = tries.get(field, 0) + 1
        if field == "proposed_instruction":
            return writing(call, "One text for all stages.")  # a copy only within its stage
        return Reply(text="no field at all")

    model.answer = answer
    with open_endpoint(model) as endpoint:
        made = written(3, dataset, endpoint)
    ids = {stage: [own.id for own in owns] for stage, owns in made.instructions}
    assert ids == {stage: ["grounded-1"] for stage in ("draft", "refine", "distill")}
    assert tries == {"proposed_instruction": 3 * 2 + 3, "new_instruction": 2 * 3}
    reasons = [refusal.why for refusal in made.refused if refusal.stage == "draft"]
    assert sum("copy of grounded-1" in why for why in reasons) == 2
    assert sum(why.startswith("unparseable") for why in reasons) == 2


def test_without_a_description_of_the_program_no_grounded_text_is_taken(model: FakeVLLM, dataset: Dataset) -> None:
    model.answer = lambda call: Reply(text="?") if asked_for(call) == "program_description" else both(call)
    with open_endpoint(model) as endpoint:
        made = written(1, dataset, endpoint)
    assert made.count == 0 and all("description of the program" in refusal.why for refusal in made.refused)


def test_proposals_keep_to_the_allowance(model: FakeVLLM, dataset: Dataset, tmp_path: Path) -> None:
    model.answer = both
    allowance = FileAllowance(tmp_path / "spend", 3_000)
    with open_endpoint(model, allowance=allowance) as endpoint, pytest.raises(SpendExhausted):
        written(4, dataset, endpoint)
    assert 0 < allowance.spent == sum(call.completion_tokens for call in (*model.calls, *model.probes)) <= 3_000
    assert proposing(model) == []  # one may generate 3,072


def test_methods_take_turns() -> None:
    assert [Slot("draft", n).id for n in (1, 2, 3)] == ["grounded-1", "reflective-2", "grounded-3"]
    assert MAGIC not in Slot("draft", 1).id


def test_who_begins_a_study_at_the_same_instant_takes_the_proposals_that_were_written_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: FakeVLLM, dataset: Dataset
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    data = Problems("d", dataset, dataset, 6, 6, RULE, dataset)
    written: list[str] = []

    def join(who: str, count: int = 2) -> Proposals | None:
        def write(*_: object, **__: object) -> Proposals:
            written.append(who)
            if who == "the slower one":
                assert join("the faster one") == replace(MADE, proposer="the faster one")
            return replace(MADE, proposer=who)

        monkeypatch.setattr("optimize.proposals.join.propose", write)
        asked = SearchRequest(budget=SPACE.budget, endpoint=model.url, propose=count, storage=url, study="s", load=4)
        allowance = FileAllowance(tmp_path / "spend")
        with open_endpoint(model) as endpoint:
            return joined(asked, tmp_path, SPACE, data, endpoint, allowance)

    found = join("the slower one")
    assert found is not None and found.proposer == "the faster one"
    # The study has not been made yet: who comes now writes nothing, and takes them as well.
    assert join("a late one") == found and written == ["the slower one", "the faster one"]
    plain = {"space": replace(SPACE, proposals=found).fingerprint()}
    Study(open_storage(url, tmp_path), "s", SPACE, plain, seed=0, owner="the faster one").close()
    assert join("a later one") == found
    with pytest.raises(InputError, match="was made with 2 proposals a stage, now 3"):
        join("another search", 3)
