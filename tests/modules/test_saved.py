"""Saved programs: they keep workflow and budget, hold no key, and go to the endpoint that the environment names."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import cloudpickle
import dspy
import pytest
from fakes.environment import no_endpoint
from fakes.stages import by_stage
from fakes.vllm import FakeVLLM

from pdr_dspy.budget import parse_budget
from pdr_dspy.endpoint import Endpoint, EndpointSettings, Secret, environment, shared_endpoint
from pdr_dspy.errors import EndpointError, InputError, WorkflowError
from pdr_dspy.modules import PDR, MajorityVote
from pdr_dspy.workflow import build_workflow

KEY = "canary-key-0123456789abcdef"
SUMMARY = build_workflow(
    {"name": "small", "rounds": [{"width": 3, "distill": {"kind": "summary", "tokens": 64}}, {"width": 1}]}
)
WIDE = build_workflow(
    {
        "name": "wide",
        "rounds": [{"width": 5, "distill": {"kind": "summary", "tokens": 512}}, {"width": 1}],
        "prompts": {"draft": "brief", "refine": {"id": "own", "text": "Take the notes apart first."}},
    }
)
PICKED = build_workflow({"name": "picked", "rounds": [{"width": 3, "distill": {"kind": "top", "k": 2}}, {"width": 1}]})


class Bigger(dspy.Module):
    """A program that holds a PDR."""

    def __init__(self, solve: PDR) -> None:
        super().__init__()
        self.first = dspy.Predict("question -> plan")
        self.solve = solve

    def forward(self, question: str) -> dspy.Prediction:
        """Solve it."""
        return self.solve(question=question)


@pytest.fixture
def environ() -> Iterator[MutableMapping[str, str]]:
    """An environment without endpoint."""
    with no_endpoint() as values:
        yield values


@pytest.fixture
def keyed() -> Iterator[FakeVLLM]:
    """A server that wants the key."""
    with FakeVLLM(answer=by_stage, context=8192, tokenizer="words", api_key=KEY) as server:
        yield server


def named(environ: MutableMapping[str, str], server: FakeVLLM) -> None:
    environ.update({"PDR_ENDPOINT": server.url, "PDR_MODEL": "fake-model", "PDR_API_KEY": KEY})


def program(workflow: Any = WIDE, **kwargs: Any) -> PDR:
    return PDR("question -> answer", workflow, **{"budget": "tokens=8k", "seed": 3, **kwargs})


def by_json(made: dspy.Module, folder: Path, into: Callable[[], dspy.Module]) -> dspy.Module:
    made.save(folder / "program.json")
    again = into()
    again.load(folder / "program.json", allow_unsafe_lm_state=True)
    return again


def by_state_pickle(made: dspy.Module, folder: Path, into: Callable[[], dspy.Module]) -> dspy.Module:
    made.save(folder / "program.pkl")
    again = into()
    again.load(folder / "program.pkl", allow_pickle=True, allow_unsafe_lm_state=True)
    return again


def by_program(made: dspy.Module, folder: Path, into: Callable[[], dspy.Module]) -> dspy.Module:
    made.save(folder / "whole", save_program=True)
    return dspy.load(folder / "whole", allow_pickle=True)


def by_cloudpickle(made: dspy.Module, folder: Path, into: Callable[[], dspy.Module]) -> dspy.Module:
    (folder / "program.bin").write_bytes(cloudpickle.dumps(made))
    return cloudpickle.loads((folder / "program.bin").read_bytes())


def by_copy(made: dspy.Module, folder: Path, into: Callable[[], dspy.Module]) -> dspy.Module:
    return copy.deepcopy(made).deepcopy()


WAYS = [by_json, by_state_pickle, by_program, by_cloudpickle, by_copy]
Way = Callable[[dspy.Module, Path, Callable[[], dspy.Module]], dspy.Module]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "inside"])
def test_workflow_budget_and_what_was_learnt_are_kept(way: Way, inside: bool, tmp_path: Path) -> None:
    made = program()
    made.draft.signature = made.draft.signature.with_instructions("Think hard.")
    made.draft.demos = [dspy.Example(question="1+1", solution="two", answer="2")]
    wrap: Callable[[PDR], Any] = Bigger if inside else lambda solve: solve
    again = way(wrap(made), tmp_path, lambda: wrap(program(SUMMARY, budget="tokens=16k", seed=0)))
    found = again.solve if inside else again
    assert isinstance(found, PDR)
    assert (found.workflow, found.budget, found.seed) == (WIDE, parse_budget("tokens=8k"), 3)
    assert found.vote_on == ("answer",)
    assert found.draft.signature.instructions == "Think hard."
    assert found.draft.demos[0]["answer"] == "2"
    assert "Take the notes apart first." in found.refine.signature.instructions


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "inside"])
def test_loaded_it_goes_to_the_endpoint_that_the_environment_names(
    way: Way, inside: bool, tmp_path: Path, keyed: FakeVLLM, environ: MutableMapping[str, str]
) -> None:
    made: Any = Bigger(program()) if inside else program()
    with Endpoint.open(EndpointSettings((keyed.url,), api_key=Secret(KEY))) as endpoint:
        if way is not by_copy:
            made.set_lm(endpoint.lm)
            assert made(question="before").answer
        again: Any = way(made, tmp_path, lambda: Bigger(program()) if inside else program())
    for file in tmp_path.rglob("*"):
        if file.is_file():
            kept = file.read_bytes()
            assert KEY.encode() not in kept and keyed.url.encode() not in kept, file
    with pytest.raises(EndpointError, match="PDR_ENDPOINT"):
        again(question="what?")
    named(environ, keyed)
    before = len(keyed.calls)
    assert again(question="what?").answer
    assert len(keyed.calls) > before
    assert shared_endpoint() is shared_endpoint("fake-model")


def test_programs_of_a_process_share_one_endpoint_and_loading_asks_nobody(
    tmp_path: Path, environ: MutableMapping[str, str]
) -> None:
    program().save(tmp_path / "whole", save_program=True)
    environ["PDR_ENDPOINT"] = "http://127.0.0.1:9/v1"  # nobody is there
    first, second = (dspy.load(tmp_path / "whole", allow_pickle=True) for _ in range(2))
    with FakeVLLM(answer=by_stage, context=8192, tokenizer="words", api_key=KEY) as server:
        named(environ, server)
        third = program(SUMMARY)
        assert server.calls == []
        for each in (first, second, third):
            assert each(question="what?").run.meters.calls
        chats = [call for call in server.calls if not call.is_probe]
        assert len(chats) == 7 + 7 + 5
        assert len(environment._opened) == 1


def test_a_configured_model_is_not_passed_over(endpoint: Endpoint, environ: MutableMapping[str, str]) -> None:
    environ["PDR_ENDPOINT"] = "http://127.0.0.1:9/v1"
    with dspy.context(lm=endpoint.lm):
        assert program()(question="what?").answer
    own = program()
    own.set_lm(endpoint.lm)
    assert own(question="what?").answer


def test_any_predictor_whose_model_was_loaded_connects_too(
    tmp_path: Path, keyed: FakeVLLM, environ: MutableMapping[str, str]
) -> None:
    made = dspy.ChainOfThought("question -> answer")
    with Endpoint.open(EndpointSettings((keyed.url,), api_key=Secret(KEY))) as endpoint:
        made.set_lm(endpoint.lm.copy(temperature=0.5))
        made.save(tmp_path / "whole", save_program=True)
    again = dspy.load(tmp_path / "whole", allow_pickle=True)
    named(environ, keyed)
    keyed.answer = "[[ ## reasoning ## ]]\nr\n\n[[ ## answer ## ]]\n42\n\n[[ ## completed ## ]]"
    assert again(question="what?").answer == "42"
    assert keyed.calls[-1].body["temperature"] == 0.5


def test_another_workflow_is_taken_over_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program().save(tmp_path / "p.json")
    into = program(PICKED, budget="tokens=9k")
    with caplog.at_level(logging.WARNING, "pdr_dspy"):
        into.load(tmp_path / "p.json")
    assert into.workflow == WIDE
    assert [name for name, _ in into.named_predictors()] == ["draft", "distill", "refine"]
    (said,) = [record.getMessage() for record in caplog.records]
    assert "'wide'" in said and "'picked'" in said and "tokens=8k" in said


def test_the_same_one_is_loaded_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    program().save(tmp_path / "p.json")
    with caplog.at_level(logging.WARNING, "pdr_dspy"):
        program().load(tmp_path / "p.json")
    assert caplog.records == []


def test_other_stages_inside_a_program_are_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    Bigger(program()).save(tmp_path / "p.json")
    into = Bigger(program(PICKED))
    with pytest.raises(WorkflowError, match=r"'wide'.*'picked'"):
        into.load(tmp_path / "p.json")
    assert into.solve.workflow == PICKED


def edited(path: Path, **changes: Any) -> Path:
    saved = json.loads(path.read_text())
    saved["declared"].update(changes)
    path.write_text(json.dumps({key: value for key, value in saved.items() if value is not None}))
    return path


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "signature": ({"outputs": ["verdict", "why"]}, "signature"),
    "version": ({"version": 99}, "declared"),
    "workflow": ({"workflow": {"name": "w", "rounds": []}}, r"declared\.rounds"),
    "no-workflow": ({"workflow": 7}, "declared"),
    "budget": ({"budget": "tokens=many"}, r"declared\.budget\.tokens"),
    "small-budget": ({"budget": "tokens=1"}, "budget"),
    "inputs": ({"inputs": 5}, "declared"),
    "seed": ({"seed": "many"}, "declared"),
    "nothing-voted": ({"vote_on": []}, "declared"),
    "strange": ({"more": 1}, "declared"),
    "vote": ({"vote_on": ["nonesuch"]}, r"declared\.vote_on"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_can_not_be_taken_over_is_a_typed_error_and_changes_nothing(name: str, tmp_path: Path) -> None:
    changes, said = BAD[name]
    program().save(tmp_path / "p.json")
    into = program(SUMMARY, budget="tokens=9k")
    kept = into.dump_state()
    with pytest.raises(InputError, match=said):
        into.load(edited(tmp_path / "p.json", **changes))
    assert into.dump_state() == kept


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    dspy.ChainOfThought("question -> answer").save(tmp_path / "p.json")
    with pytest.raises(WorkflowError, match="no state of draft, distill, refine"):
        program().load(tmp_path / "p.json")


def test_one_that_was_saved_without_its_declaration_keeps_the_programs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = program()
    made.draft.signature = made.draft.signature.with_instructions("Think hard.")
    made.save(tmp_path / "p.json")
    saved = json.loads((tmp_path / "p.json").read_text())
    del saved["declared"]
    (tmp_path / "p.json").write_text(json.dumps(saved))
    into = program(SUMMARY)
    with caplog.at_level(logging.WARNING, "pdr_dspy"):
        into.load(tmp_path / "p.json")
    assert into.workflow == SUMMARY and into.draft.signature.instructions == "Think hard."
    assert "names no workflow" in caplog.text


def test_optimisers_begin_anew_with_the_workflow() -> None:
    made = program()
    made.draft.demos = [dspy.Example(question="1+1", answer="2")]
    again = made.reset_copy()
    assert again.workflow == WIDE and again.draft.demos == []
    for other in (again, copy.copy(made)):
        other.budget = parse_budget("tokens=20k")
    assert made.budget == parse_budget("tokens=8k")


def without_declarations(path: Path) -> Path:
    """A file as the version before wrote it: states of predictors alone."""
    saved = json.loads(path.read_text())
    kept = {name: state for name, state in saved.items() if not name.endswith("declared")}
    assert len(kept) < len(saved)
    path.write_text(json.dumps(kept))
    return path


class Several(dspy.Module):
    """A program that holds PDRs at other places than an attribute of its own."""

    def __init__(self, made: PDR) -> None:
        super().__init__()
        self.inner = Bigger(made)
        self.listed = [program(PICKED)]
        self.named = {"one": program(SUMMARY)}


def test_a_program_with_pdrs_inside_that_was_saved_without_declarations_loads(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = Several(program())
    made.inner.solve.draft.signature = made.inner.solve.draft.signature.with_instructions("Think hard.")
    made.listed[0].draft.demos = [dspy.Example(question="1+1", solution="two", answer="2")]
    made.save(tmp_path / "p.json")
    into = Several(program(budget="tokens=9k"))
    with caplog.at_level(logging.WARNING, "pdr_dspy"):
        into.load(without_declarations(tmp_path / "p.json"))
    assert into.inner.solve.draft.signature.instructions == "Think hard."
    assert into.listed[0].draft.demos[0]["answer"] == "2"
    assert (into.inner.solve.workflow, into.inner.solve.budget) == (WIDE, parse_budget("tokens=9k"))
    assert "names no workflow and budget of inner.solve: the workflow 'wide'" in caplog.text
    assert caplog.text.count("names no workflow") == 3


def test_a_file_whose_program_had_another_module_there_is_refused_with_the_name(tmp_path: Path) -> None:
    other = Bigger(program())
    other.solve = dspy.ChainOfThought("question -> answer")  # type: ignore[assignment]
    other.save(tmp_path / "p.json")
    with pytest.raises(WorkflowError, match=r"no state of solve\.draft, solve\.distill, solve\.refine"):
        Bigger(program()).load(tmp_path / "p.json")


def as_before(made: PDR) -> dict[str, Any]:
    """The attributes of a PDR as the version before pickled them."""
    state = made.__getstate__()
    del state["declared"]
    return {**state, "workflow": made.workflow, "budget": made.budget, "seed": made.seed, "vote_on": made.vote_on}


def unpickled(kind: type[PDR], state: dict[str, Any]) -> PDR:
    made = kind.__new__(kind)
    made.__setstate__(cloudpickle.loads(cloudpickle.dumps(state)))
    return made


def test_a_whole_program_of_the_version_before_has_its_declaration(
    keyed: FakeVLLM, environ: MutableMapping[str, str]
) -> None:
    made = program()
    made.draft.demos = [dspy.Example(question="1+1", solution="two", answer="2")]
    found = unpickled(PDR, as_before(made))
    assert (found.workflow, found.budget, found.seed) == (WIDE, parse_budget("tokens=8k"), 3)
    assert found.vote_on == ("answer",) and found.draft.demos[0]["answer"] == "2"
    assert found.dump_state() == made.dump_state()
    assert "workflow" not in found.__dict__
    named(environ, keyed)
    assert found(question="what?").answer


def test_a_strategy_is_found_where_the_version_before_had_it() -> None:
    from pdr_dspy.modules import pdr

    old = MajorityVote("question -> answer", width=4)
    found = unpickled(pdr.MajorityVote, as_before(old))  # type: ignore[attr-defined]
    assert isinstance(found, MajorityVote) and found.workflow == old.workflow


@pytest.mark.parametrize("lost", ["workflow", "budget"])
def test_a_whole_program_without_a_workflow_is_a_typed_error(lost: str) -> None:
    state = as_before(program())
    del state[lost]
    with pytest.raises(WorkflowError, match="no workflow and budget"):
        unpickled(PDR, state)
