"""A `PDR`'s prediction in what DSPy does with predictions: JSON, votes over them, tools, copies."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import dspy
import pytest
from fakes.stages import fields
from fakes.vllm import FakeVLLM

from pdr_dspy.endpoint import Endpoint
from pdr_dspy.modules import PDR, RunRecord
from pdr_dspy.modules.prediction import PDRPrediction, with_run
from pdr_dspy.workflow import Round, Summary, Workflow

SMALL = Workflow(name="small", rounds=(Round(width=2, distill=Summary(tokens=64)), Round(width=1)))


@pytest.fixture
def prediction(endpoint: Endpoint) -> PDRPrediction:
    with dspy.context(lm=endpoint.lm):
        found = PDR("problem -> answer", SMALL, budget="tokens=2k")(problem="q")
    assert isinstance(found, PDRPrediction)
    return found


def test_the_run_is_beside_the_fields(prediction: PDRPrediction) -> None:
    assert list(prediction.keys()) == ["reasoning", "answer"]
    assert isinstance(prediction.run, RunRecord) and prediction["run"] is prediction.run
    assert "run" not in prediction and "RunRecord" not in repr(prediction)
    assert with_run(prediction) == {**dict(prediction), "run": prediction.run}
    assert with_run(dspy.Prediction(answer="1")) == {"answer": "1"}
    with pytest.raises(KeyError):
        prediction["other"]
    with pytest.raises(AttributeError):
        _ = prediction.other


def test_where_an_input_is_called_run_the_record_says_its_name(endpoint: Endpoint) -> None:
    with dspy.context(lm=endpoint.lm):
        found = PDR("run -> answer", SMALL, budget="tokens=2k")(run="q")
    assert isinstance(found.pdr_run, RunRecord) and found["pdr_run"] is found.pdr_run
    for same in (found, copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        with pytest.raises(AttributeError, match=r"prediction\.pdr_run: the signature has a field named run"):
            _ = same.run
        with pytest.raises(KeyError, match="pdr_run"):
            same["run"]
        assert not hasattr(same, "run")


def test_it_is_json(prediction: PDRPrediction) -> None:
    assert json.loads(json.dumps(prediction.toDict())) == dict(prediction)


def test_copies_keep_the_run(prediction: PDRPrediction) -> None:
    copies = [
        copy.copy(prediction),
        copy.deepcopy(prediction),
        pickle.loads(pickle.dumps(prediction)),
        prediction.copy(answer="x"),
    ]
    assert [each.run.meters for each in copies] == [prediction.run.meters] * 4
    assert copies[-1].answer == "x"


def test_a_field_called_run_is_the_users(endpoint: Endpoint, model: FakeVLLM) -> None:
    model.answer = fields(solution="s", workspace="w", run="fast", reasoning="theirs")
    with dspy.context(lm=endpoint.lm):
        found = PDR("problem -> reasoning, run", SMALL, budget="tokens=2k")(problem="q")
    assert (found.run, found.reasoning, found.pdr_reasoning) == ("fast", "theirs", "s")
    assert list(found.keys()) == ["pdr_reasoning", "reasoning", "run"]
    assert found.pdr_run.meters.calls == 4


def test_dspy_votes_on_the_users_last_field(endpoint: Endpoint, prediction: PDRPrediction) -> None:
    assert dspy.majority([prediction, prediction, dspy.Prediction(reasoning="", answer="no")]).answer == (
        prediction.answer
    )
    program = PDR("problem -> answer", SMALL, budget="tokens=2k")
    with dspy.context(lm=endpoint.lm):
        ensemble = dspy.Ensemble(reduce_fn=dspy.majority).compile([program, program.deepcopy()])
        assert ensemble(problem="q").answer in {"0", "1", "2"}


@pytest.mark.parametrize("form", ["json", "csv"])
def test_evaluate_writes_it(form: str, tmp_path: Path, endpoint: Endpoint) -> None:
    examples = [dspy.Example(problem=str(n), answer="1").with_inputs("problem") for n in range(3)]
    path = tmp_path / f"found.{form}"
    with dspy.context(lm=endpoint.lm):
        dspy.Evaluate(
            devset=examples, metric=lambda e, p, trace=None: e.answer == p.answer, display_progress=False,
            num_threads=2, **{f"save_as_{form}": str(path)},
        )(PDR("problem -> answer", SMALL, budget="tokens=2k"))  # fmt: skip
    assert "RunRecord" not in path.read_text()
    if form == "json":
        assert [row.keys() >= {"problem", "example_answer", "pred_answer"} for row in json.loads(path.read_text())] == (
            [True] * 3
        )
