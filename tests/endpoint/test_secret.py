"""The API key is where requests are made and nowhere else."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import dspy
import pytest
from fakes.vllm import RESET, FakeVLLM, Reply, unavailable

from pdr_dspy.endpoint import EndpointLM, EndpointSettings, Secret, endpoint_of
from pdr_dspy.errors import EndpointError

from .support import KEY, call, open_endpoint, outcome, recorded, typed


@pytest.fixture
def server(start_fake: Callable[..., FakeVLLM]) -> FakeVLLM:
    return start_fake(api_key=KEY)


def test_it_prints_as_stars() -> None:
    secret = Secret(KEY)
    settings = EndpointSettings(("http://h",), api_key=secret)
    for text in (repr(secret), str(secret), f"{secret}", "%s" % secret, repr(settings), str(settings)):  # noqa: UP031
        assert KEY not in text
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert copy.deepcopy(secret) is secret


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=401, message=f"Incorrect API key provided: {KEY}"),
        Reply(status=400, message=f"bad request with {KEY}"),
        Reply(status=500, message=f"crash with {KEY}"),
        Reply(raw=f"<html>{KEY}</html>"),
        unavailable(),
        RESET,
    ],
)
def test_it_is_in_no_exception_record_or_log(
    server: FakeVLLM, reply: Reply, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    server.answer = reply
    with caplog.at_level(logging.DEBUG), open_endpoint(server, api_key=KEY, retries=1) as endpoint:
        error, records = recorded(endpoint)
        try:
            call(endpoint)
        except Exception as raised:
            full = io.StringIO()
            traceback.print_exception(raised, file=full)
        said = [repr(error), str(error), *map(repr, records), repr(endpoint), repr(endpoint.stats), full.getvalue()]
        said += [repr(vars(endpoint.lm)), repr(endpoint.lm.history), caplog.text, *capfd.readouterr()]
    assert not [text for text in said if KEY in text]


def test_no_exception_holds_it_among_its_causes(server: FakeVLLM) -> None:
    server.answer = unavailable()
    with open_endpoint(server, api_key=KEY, retries=0) as endpoint:
        error = outcome(endpoint)
    assert isinstance(error, Exception)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_saved_program_holds_the_models_name_alone(
    server: FakeVLLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PDR_ENDPOINT", raising=False)
    with open_endpoint(server, api_key=KEY) as endpoint:
        program = dspy.Predict("question -> answer")
        program.set_lm(endpoint.lm)
        program.save(tmp_path / "p.json")
        program.save(tmp_path / "whole", save_program=True)
        for path in tmp_path.rglob("*"):
            if path.is_file():
                assert KEY.encode() not in path.read_bytes()
                assert server.url.encode() not in path.read_bytes()
    loaded = dspy.Predict("question -> answer")
    with pytest.raises(ValueError, match="allow_unsafe_lm_state"):
        loaded.load(tmp_path / "p.json")
    loaded.load(tmp_path / "p.json", allow_unsafe_lm_state=True)
    assert isinstance(loaded.lm, EndpointLM)
    whole = dspy.load(str(tmp_path / "whole"), allow_pickle=True)
    for lm in (loaded.lm, whole.lm):
        assert endpoint_of(lm) is None
        with pytest.raises(Exception, match="PDR_ENDPOINT: it is not set") as caught:
            lm("hello")
        error = typed(caught.value)
        assert isinstance(error, EndpointError)
        assert "connect" in error.mend


def test_a_copied_program_shares_the_connection(server: FakeVLLM) -> None:
    with open_endpoint(server, api_key=KEY) as endpoint:
        program = dspy.Predict("question -> answer")
        program.set_lm(endpoint.lm)
        for twin in (program.deepcopy(), copy.deepcopy(program), program.reset_copy()):
            if twin.lm is not None:
                assert endpoint_of(twin.lm) is endpoint
