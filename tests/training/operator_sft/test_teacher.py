"""The teacher's targets on hand-made states: right claims copied, false ones left open or refuted and reworked."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("torch")

from experiments.reasoner.data import Generator
from experiments.reasoner.tokenizer import ASSISTANT, chat_text
from experiments.training.operator_sft.config import Role
from experiments.training.operator_sft.states import Space, State
from experiments.training.operator_sft.targets import accepted_in, circles, refinement, workspace
from experiments.training.operator_sft.teacher import Teacher
from pdr_dspy.data.worksheets import worksheet_correct

from .support import BENT, BESIDE, FOREIGN, OTHER_LINE, PROBLEM, RIGHT, UNUSED, WEIGHTS, draft, stage

ROLES: tuple[Role, ...] = ("distill", "refine", "finish", "pick", "analyse")


def text(pieces: list[tuple[str, float]]) -> str:
    return "".join(piece for piece, _ in pieces)


def rows(*drafts: str, style: str = "default") -> list[str]:
    return text(workspace(PROBLEM, drafts, 200, style)).splitlines()


def refined(notes: str, style: str = "default") -> str:
    return text(refinement(PROBLEM, notes, style, 2000, random.Random(0)))


def test_a_right_claim_is_copied_even_against_more_false_ones() -> None:
    assert rows(draft(FOREIGN), draft(OTHER_LINE), draft(RIGHT["A"]), draft(RIGHT["C"])) == [
        RIGHT["A"],
        "B: open",
        RIGHT["C"],
    ]


def test_of_right_workings_the_most_frequent_is_copied() -> None:
    other = "A: 4 * 7 = 28, 28 + 13 = 41"
    assert rows(draft(other), draft(RIGHT["A"]), draft(RIGHT["A"]))[0] == RIGHT["A"]
    assert rows(draft(other), draft(other), draft(RIGHT["A"]))[0] == other


@pytest.mark.parametrize("false", [FOREIGN, OTHER_LINE, UNUSED, BENT, BESIDE])
def test_a_line_that_is_wrong_in_every_draft_is_open(false: str) -> None:
    found = rows(draft(false), draft(false), draft())
    assert found == ["A: open", "B: open", "C: open"]
    label = false[0]
    assert rows(draft(false), style="disagreements")["ABC".index(label)] == f"{label}: wrong"
    assert rows(draft(false), style="facts_only") == ["none"]


@pytest.mark.parametrize("style", ["default", "checking", "brief"])
@pytest.mark.parametrize("false", [FOREIGN, OTHER_LINE, UNUSED, BENT, BESIDE])
def test_a_false_claim_is_refuted_and_its_line_worked_on(false: str, style: str) -> None:
    label = false[0]
    notes = "\n".join({**RIGHT, label: false}.values())
    for seed in range(30):
        found = text(refinement(PROBLEM, notes, style, 2000, random.Random(seed)))
        thinking, _, answer = found.partition("</think>")
        assert false not in answer
        assert f"\n{label} {PROBLEM.splitlines()['ABC'.index(label)].split()[2]} from" in thinking
        assert thinking.count(" bad") >= (0 if style == "brief" else 1)
        if style != "brief":  # three tries need not be enough
            solved = answer.partition("[[ ## answer ## ]]\n")[2].partition("\n\n[[")[0]
            assert worksheet_correct(PROBLEM, solved)


def test_a_glance_keeps_the_shipped_format() -> None:
    thinking = refined("\n".join([RIGHT["A"], UNUSED, BESIDE])).partition("</think>")[0]
    assert thinking.startswith("<think>\nA 41 41 ok\nB 20 20 bad\nC 12 14 bad\n")


def test_checking_works_the_claim_out() -> None:
    thinking = refined("\n".join([RIGHT["A"], RIGHT["B"], BENT]), "checking").partition("</think>")[0]
    assert "\nA 7 * 4 = 28 28 + 13 = 41 41 ok" in thinking
    assert "\nC 5 - 2 = 3 4 * 3 = 12 14 bad" in thinking


def test_a_cut_refinement_says_only_what_it_had_solved() -> None:
    found = text(refinement(PROBLEM, "\n".join([RIGHT["A"], "B: open", "C: open"]), "default", 6, random.Random(0)))
    assert found.startswith("<think>\nA 41 41 ok")
    answer = found.partition("</think>")[2]
    assert RIGHT["A"] in answer
    assert "B:" not in answer


def state() -> State:
    drafts = (draft(RIGHT["A"], UNUSED), draft(RIGHT["B"]), draft(BENT), draft())
    return State(PROBLEM, drafts, (Space((0, 2), "\n".join([RIGHT["A"], UNUSED, "C: open"])),))


@pytest.mark.parametrize("role", ROLES)
def test_examples_have_loss_on_the_completion_alone(role: Role) -> None:
    generator = Generator.load(WEIGHTS / "tokenizer.json")
    teacher = Teacher(generator, stage())
    start = generator.tokenizer.token_to_id(ASSISTANT)
    for seed in range(20):
        example = teacher.example(role, state(), random.Random(seed))
        assert example is not None
        place = example.ids.index(start)
        assert not any(example.weights[: place + 1])
        assert any(example.weights[place + 1 :])
        assert example.weights[-1] > 0


def test_the_answer_behind_its_own_thinking_is_what_that_thinking_accepted() -> None:
    notes = "\n".join([RIGHT["A"], UNUSED, BESIDE])
    passed = "\nA 41 41 ok\nB 20 20 ok\nC 12 14 bad\nC 14 from 5 2 4\nC 5 - 2 ="
    found = accepted_in(PROBLEM, notes, passed)
    assert set(found) == {0, 1}  # B is false, but it was passed: the answer is faithful
    settled = f"{passed} 3 4 7 1 12 14 no\n{RIGHT['C']}\n{RIGHT['B'][:20]}"
    assert [str(step) for step in accepted_in(PROBLEM, notes, settled)[2]] == ["5 * 2 = 10", "10 + 4 = 14"]
    assert accepted_in(PROBLEM, notes, settled)[1] == found[1]  # a row that was cut settles nothing
    assert set(accepted_in(PROBLEM, notes, "\nA 41 41 bad")) == set()  # C is false and was not looked at
    assert set(accepted_in(PROBLEM, notes, "")) == {0}


def test_verdicts_on_two_claims_of_a_line_belong_to_them_in_their_order() -> None:
    notes = f"{OTHER_LINE}\n{RIGHT['A']}"
    found = accepted_in(PROBLEM, notes, "\nA 41 41 bad\nA 41 41 ok")
    assert [str(step) for step in found[0]] == ["7 * 4 = 28", "28 + 13 = 41"]
    found = accepted_in(PROBLEM, notes, "\nA 41 41 ok\nA 41 41 bad")
    assert [str(step) for step in found[0]] == ["18 + 20 = 38", "38 + 3 = 41"]


def test_own_thinking_has_no_loss_and_its_tokens_stay_as_they_were() -> None:
    generator = Generator.load(WEIGHTS / "tokenizer.json")
    teacher = Teacher(generator, stage())
    thinking = tuple(generator.tokenizer.encode("\nA 41 41 ok\nB 20 from 18 5", add_special_tokens=False).ids)
    own = State(PROBLEM, (draft(),), (Space((0,), RIGHT["A"], thinking, True),))
    example = teacher.example("finish", own, random.Random(0))
    assert example is not None
    start = example.ids.index(generator.tokenizer.token_to_id(ASSISTANT)) + 2
    assert tuple(example.ids[start : start + len(thinking)]) == thinking
    assert not any(example.weights[: start + len(thinking) + 1])
    said = generator.tokenizer.decode(example.ids[start + len(thinking) + 1 :], skip_special_tokens=False)
    assert said.startswith(f"[[ ## solution ## ]]\n{RIGHT['A']}\n\n[[")


CIRCLE = "\nA 41 41 ok\nB 20 from 18 5 12 20\nB 18 + 5 = 23 23 - 12 = 11 20 31 9 20 no\nB 18 - 12 = 6 20 no"


def test_a_circle_is_a_try_that_comes_back_before_the_line_is_taken_up_anew() -> None:
    again = f"{CIRCLE}\nB 18 - 12 = 6 20 no"
    assert circles(f"{again}\nB 18") == [(len(again), 1)]
    assert circles(again) == []  # the last row may be cut
    assert circles(f"{CIRCLE}\nB 20 from 18 5 12 20\nB 18 - 12 = 6 20 no\nB 18") == []


def test_out_of_a_circle_the_line_is_taken_up_anew_and_solved() -> None:
    generator = Generator.load(WEIGHTS / "tokenizer.json")
    teacher = Teacher(generator, stage())
    thinking = f"{CIRCLE}\nB 18 - 12 = 6 20 no\nB 18 - 12 = 6 20 no"
    ids = tuple(generator.tokenizer.encode(thinking, add_special_tokens=False).ids)
    own = State(PROBLEM, (draft(),), (Space((0,), RIGHT["A"], ids, True),))
    example = teacher.example("resume", own, random.Random(0))
    assert example is not None
    first = next(place for place, weight in enumerate(example.weights) if weight)
    said = generator.tokenizer.decode(example.ids[first:], skip_special_tokens=False)
    assert said.startswith("\nB 20 from 18 5 12 20\nB 18 ")
    before = generator.tokenizer.decode(example.ids[:first], skip_special_tokens=False)
    assert before.endswith(f"{CIRCLE}\nB 18 - 12 = 6 20 no")
    straight = State(PROBLEM, (draft(),), (Space((0,), RIGHT["A"], ids[:10], False),))
    assert teacher.example("resume", straight, random.Random(0)) is None


@pytest.mark.parametrize("seed", range(6))
def test_a_drafts_thinking_that_goes_round_is_resumed_too(seed: int) -> None:
    generator = Generator.load(WEIGHTS / "tokenizer.json")
    teacher = Teacher(generator, stage())
    thinking = f"{CIRCLE}\nB 18 - 12 = 6 20 no\nB 18 - 12 = 6 20 no"
    ids = tuple(generator.tokenizer.encode(thinking, add_special_tokens=False).ids)
    own = State(PROBLEM, (draft(),), (), ((), ids))
    example = teacher.example("resume_draft", own, random.Random(seed))
    assert example is not None
    first = next(place for place, weight in enumerate(example.weights) if weight)
    before = generator.tokenizer.decode(example.ids[:first], skip_special_tokens=False)
    assert before.endswith(f"{CIRCLE}\nB 18 - 12 = 6 20 no")
    prompts = generator.prompts
    assert before.startswith(chat_text(*prompts.render("draft", prompts.instructions["draft"]["default"], [PROBLEM])))
    said = generator.tokenizer.decode(example.ids[first:], skip_special_tokens=False)
    assert said.startswith("\nB 20 from 18 5 12 20\nB 18 ")
    assert teacher.example("resume_draft", State(PROBLEM, (draft(),), (), (ids[:10],)), random.Random(seed)) is None


def test_a_draft_is_judged_truly() -> None:
    generator = Generator.load(WEIGHTS / "tokenizer.json")
    teacher = Teacher(generator, stage(default=1.0, falsified=0.0))
    one = State(PROBLEM, (draft(RIGHT["A"], UNUSED),), ())
    example = teacher.example("analyse", one, random.Random(0))
    assert example is not None
    said = generator.tokenizer.decode(example.ids, skip_special_tokens=False)
    assert said.rpartition("]]\nB")[2].startswith(": wrong\nC: missing")


@pytest.mark.parametrize("seed", range(4))
def test_the_draft_with_the_most_right_lines_is_picked(seed: int) -> None:
    generator = Generator.load(WEIGHTS / "tokenizer.json")
    teacher = Teacher(generator, stage(default=1.0, falsified=0.0))
    drafts = (draft(BENT, UNUSED), draft(RIGHT["A"]))
    picked = teacher.example("pick", State(PROBLEM, drafts, ()), random.Random(seed))
    assert picked is not None
    said = generator.tokenizer.decode(picked.ids, skip_special_tokens=False)
    place = 1 if said.index(RIGHT["A"]) < said.index(BENT) else 2
    assert said.rpartition("picks ## ]]\n")[2].startswith(f"[{place}")
