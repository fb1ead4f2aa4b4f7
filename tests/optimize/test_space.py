"""Every point of the space is a valid workflow that fits the budget; equal calls have equal keys."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimize.engine.dry_run import RandomChoices
from optimize.space.choices import KS, caps, kappas
from optimize.space.fitting import make_space
from optimize.space.shapes import WHOLE, parse_topology
from optimize.space.space import BASELINES, Fixed, Space
from optimize.space.title import title
from pdr_dspy.budget import Budget, parse_budget
from pdr_dspy.errors import BudgetError, InputError
from pdr_dspy.workflow import dump_workflow, parse_workflow

EMBEDDED = make_space(parse_budget("tokens=16k"), 2048)


@dataclass
class Drawn:
    """Choices made by hypothesis."""

    data: st.DataObject

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self.data.draw(st.sampled_from(choices), label=name)


def spaces() -> st.SearchStrategy[Space]:
    budgets = st.builds(
        Budget,
        tokens=st.integers(300, 200_000),
        total=st.none() | st.integers(20_000, 10**7),
        seconds=st.none() | st.just(30.0),
    )
    return st.builds(make_space, budgets, st.none() | st.integers(512, 200_000))


@given(spaces(), st.data())
def test_every_choice_is_a_valid_workflow_within_the_budget(space: Space, data: st.DataObject) -> None:
    candidate = space.suggest(Drawn(data))
    assert space.budget.tokens is not None and candidate.plan.path_tokens <= space.budget.tokens
    assert space.budget.total is None or candidate.plan.path_tokens <= space.budget.total
    assert parse_workflow(dump_workflow(candidate.workflow)) == candidate.workflow
    assert space.candidate(candidate.params) == candidate


@given(st.data())
def test_choices_are_plain_and_belong_to_their_dimension(data: st.DataObject) -> None:
    candidate = EMBEDDED.suggest(Drawn(data))
    dimensions = EMBEDDED.dimensions()
    assert all(value in dimensions[name] for name, value in candidate.params.items())
    assert all(type(choice) in (str, int, float, bool) for choices in dimensions.values() for choice in choices)
    picks = {r.distill.kind for r in candidate.workflow.rounds if r.distill} & {"top", "random"}
    assert ("k" in candidate.params) == bool(picks)


def test_the_embedded_reasoners_space_is_small_and_the_large_models_large() -> None:
    assert kappas(16_000, 2048) == (24, 32, 48, 64, 96, 128)
    large = kappas(16_000, 32_768)
    assert 256 <= min(large) <= 512 and 1024 <= max(large) <= 4096
    assert caps(16_000, 32_768)[-1] == 250 and caps(16_000, 2048)[-1] == 32


@given(st.integers(1, 10**6), st.none() | st.integers(64, 10**6))
def test_workspaces_are_small_beside_budget_and_context(tokens: int, context: int | None) -> None:
    found = kappas(tokens, context)
    assert list(found) == sorted(set(found)) and found[0] >= 16
    assert len(found) == 1 or found[-1] <= min(tokens, (context or 2 * tokens) / 2) / 8


def test_baselines_have_the_whole_budget() -> None:
    baselines = make_space(parse_budget("tokens=16k"), 40_960).baselines()
    assert set(baselines) == set(BASELINES)
    assert all(c.plan.path_tokens == 16_000 for c in baselines.values())
    assert {name: c.workflow.widths for name, c in baselines.items()} == {
        "long_cot": (1,),
        "sr": (1, 1, 1, 1),
        "majority": (8,),
    }


def test_a_model_is_searched_with_the_instructions_that_suit_it() -> None:
    usual, reasoner = (make_space(parse_budget("tokens=16k"), 2048, recommended=r) for r in (None, "reasoner"))
    assert usual.dimensions()["prompt_draft"][:2] == ("default", "brief")
    assert reasoner.dimensions()["prompt_draft"][:2] == ("reasoner", "reasoner-brief")
    assert not any(i.startswith("reasoner") for _, ids in usual.prompts for i in ids)
    assert all(i.startswith("reasoner") for _, ids in reasoner.prompts for i in ids)
    chosen = reasoner.baseline("sr")
    assert chosen.workflow.prompts.ids["refine"] == "reasoner" and "prompts" not in title(chosen)


def test_the_format_is_a_dimension_of_its_own() -> None:
    space = make_space(parse_budget("tokens=16k"), 8192, formats=["plain", "json"])
    assert space.dimensions()["format"] == ("plain", "json") and space.fingerprint()["format"] == ["plain", "json"]
    assert {c.workflow.prompts.format for c in space.starters().values()} == {"plain"}
    plain, json = (space.suggest(Fixed({"topology": "8-1", "format": f})) for f in space.formats)
    assert plain.key != json.key and plain.workflow.prompts.format == "plain"
    assert "json" in title(json) and "plain" not in title(plain)
    assert parse_workflow(dump_workflow(json.workflow)) == json.workflow


def test_one_format_is_fixed_and_on_record() -> None:
    space = make_space(parse_budget("tokens=16k"), 8192, formats=["markers"])
    chosen = space.suggest(Fixed({"topology": "8-1"}))
    assert chosen.params["format"] == chosen.workflow.prompts.format == "markers" and "markers" not in title(chosen)
    assert space.fingerprint() != make_space(parse_budget("tokens=16k"), 8192, formats=["plain"]).fingerprint()
    free = make_space(parse_budget("tokens=16k"), 8192).suggest(Fixed({"topology": "8-1"}))
    assert "format" not in free.params and free.workflow.prompts.format is None


def test_what_the_context_makes_equal_is_one_point() -> None:
    # A single call of 16000, 8000 or 4000 tokens does not fit into 2048 tokens: all three are the same call.
    space = replace(EMBEDDED, caps=(WHOLE, 8000, 4000, 1024))
    whole, half, quarter, less = (space.suggest(Fixed({"topology": "1", "cap": cap})) for cap in space.caps)
    assert whole.key == half.key == quarter.key != less.key


@given(st.data())
def test_drafts_of_one_cap_are_the_same_in_every_topology_and_under_every_kappa(data: st.DataObject) -> None:
    cap = data.draw(st.sampled_from([256, 512]))
    candidate = EMBEDDED.suggest(_Keeping(Drawn(data), {"cap": cap}))
    drafts = [step for step in candidate.plan.steps if step.stage in ("draft", "refine")]
    assert {(step.caps.thinking, step.caps.answer) for step in drafts} == {(cap // 2, cap // 2)}


@dataclass
class _Keeping:
    """Choices of another, but for those that are kept."""

    other: Drawn
    kept: dict[str, Any]

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self.kept[name] if name in self.kept else self.other.suggest_categorical(name, choices)


def test_a_cap_that_does_not_fit_gives_way_to_the_next_smaller() -> None:
    space = make_space(parse_budget("tokens=1k"), 2048)
    assert space.caps[:4] == (WHOLE, 750, 500, 375)
    candidate = space.suggest(Fixed({"topology": "8-1", "distiller": "summary", "kappa": space.kappas[0], "cap": 750}))
    assert candidate.plan.steps[0].caps.total == 375  # two of 500 leave nothing for the distiller
    sr = space.suggest(Fixed({"topology": "1-1-1-1", "cap": 750}))
    assert sr.plan.path_tokens == 1000


def test_a_pick_for_each_of_one_next_draft_is_the_shared_pick() -> None:
    each, shared, more = (
        EMBEDDED.suggest(Fixed({"topology": t, "distiller": d}))
        for t, d in (("8-1", "top_each"), ("8-1", "top"), ("8-4-1", "top_each"))
    )
    assert [r.distill.shared for r in more.workflow.rounds if r.distill] == [False, True]
    assert each.plan.steps == shared.plan.steps


def test_topologies_that_cannot_fit_are_left_out() -> None:
    small = make_space(parse_budget("tokens=100"), 2048)
    assert "1" in small.topologies and "16-8-4-1" not in small.topologies
    assert all(small.suggest(RandomChoices(random.Random(i))).plan.path_tokens <= 100 for i in range(50))


@pytest.mark.parametrize("label", ["", "0", "8-0-1", "8", "8-", "1-vote", "x", "8-1-sum", "-1"])
def test_bad_topologies_are_refused(label: str) -> None:
    with pytest.raises(InputError, match="topologies"):
        parse_topology(label)


def test_topologies_of_ones_own() -> None:
    space = make_space(parse_budget("tokens=16k"), 32_768, topologies=["32-4-1", "1", "1"])
    assert space.topologies == ("32-4-1", "1")
    assert set(space.baselines()) == {"long_cot"}


@pytest.mark.parametrize(("budget", "field"), [("total=400k", "budget.tokens"), ("tokens=20", "budget.tokens")])
def test_budgets_without_room_are_refused(budget: str, field: str) -> None:
    with pytest.raises(BudgetError) as caught:
        make_space(parse_budget(budget), 2048)
    assert caught.value.field == field


def test_k_never_exceeds_the_drafts_there_are() -> None:
    candidate = EMBEDDED.suggest(
        Fixed({"topology": "16-8-4-1", "distiller": "random", "k": max(KS), "kappa": 128, "cap": WHOLE})
    )
    assert all(r.distill.k <= r.width for r in candidate.workflow.rounds if r.distill)
