"""The package's own names: all there, seen by tools, and imported no sooner than they are used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dspy
import pytest
from fakes.stages import by_stage
from fakes.vllm import FakeVLLM

import pdr_dspy
import pdr_dspy.endpoint
from pdr_dspy import PDR, EndpointError, EndpointLM, InputError, connect
from pdr_dspy.endpoint import FileStore, MemoryStore

ROOT = Path(__file__).resolve().parent.parent

HEAVY = {
    *("optuna", "mlflow", "scipy", "matplotlib", "plotly", "pyarrow", "sympy", "math_verify", "starlette", "uvicorn"),
    *("openvino", "openvino_genai", "torch", "transformers", "datasets", "reasoning_gym", "psycopg", "sqlalchemy"),
    *("pandas", "sklearn", "jinja2", "selenium"),
}
"""Top-level modules of what extras install, and what those bring along."""


def loaded_by(source: str) -> set[str]:
    """The top-level modules that a program has loaded at its end."""
    said = f"{source}\nimport sys, json\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    ran = subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(ran.stdout.splitlines()[-1]))


def test_importing_the_package_imports_nothing_else() -> None:
    plain = loaded_by("import importlib, os, typing")
    assert loaded_by("import pdr_dspy; dir(pdr_dspy)") - plain == {"pdr_dspy"}


@pytest.mark.parametrize("names", ["PDR", ", ".join(sorted(pdr_dspy.__all__))], ids=["PDR", "all"])
def test_what_composing_needs_imports_nothing_of_an_extra(names: str) -> None:
    by_dspy = loaded_by("import dspy, litellm")
    assert (loaded_by(f"from pdr_dspy import {names}") - by_dspy) & HEAVY == set()


def test_every_name_is_there_and_listed_once() -> None:
    assert sorted(pdr_dspy.__all__) == sorted(pdr_dspy._ROOM_OF)
    assert len(set(pdr_dspy.__all__)) == len(pdr_dspy.__all__)
    assert set(pdr_dspy.__all__) <= set(dir(pdr_dspy))
    for name in pdr_dspy.__all__:
        assert getattr(pdr_dspy, name).__name__ == name


def test_a_name_that_is_not_there_is_said_as_python_says_it() -> None:
    with pytest.raises(AttributeError, match="module 'pdr_dspy' has no attribute 'PRD'"):
        pdr_dspy.PRD  # noqa: B018


def test_connect_gives_a_language_model_that_closes_its_endpoint() -> None:
    with FakeVLLM(answer=by_stage, context=8192) as server:
        with connect(server.url, load=4) as lm:
            assert isinstance(lm, EndpointLM) and isinstance(lm, dspy.LM)
            assert lm.endpoint is not None and lm.endpoint.load == 4
            with dspy.context(lm=lm.copy(temperature=0.5)):
                assert PDR("question -> answer", budget="tokens=4k")(question="x").answer
        assert {call.body["temperature"] for call in server.calls if call.body["max_tokens"] > 100} == {0.5}
        with dspy.context(lm=lm), pytest.raises(EndpointError, match="closed"):
            PDR("question -> answer")(question="x")


@pytest.mark.parametrize("kind", [str, Path, FileStore], ids=lambda kind: kind.__name__)
def test_a_store_is_itself_or_its_directory(kind: Any, tmp_path: Path) -> None:
    with FakeVLLM(answer=by_stage, context=8192) as server:
        for _ in range(2):
            with connect(server.url, store=kind(tmp_path / "kept")) as lm:
                assert PDR("question -> answer", "long_cot")(question="x", lm=lm).answer
        assert len(server.calls) == 1
    assert FileStore(tmp_path / "kept").report.records


NOT_TAKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a number": ({"store": 3}, "store"),
    "true": ({"store": True}, "store"),
    "a dict": ({"store": {}}, "store"),
    "a class": ({"store": MemoryStore}, "store"),
    "an empty path": ({"store": ""}, "store"),
    "no path": ({"store": "a\0b"}, "store"),
    "a number of weights": ({"revision": 3}, "revision"),
    "bytes of weights": ({"revision": b"main"}, "revision"),
}


@pytest.mark.parametrize("what", NOT_TAKEN)
def test_what_connect_can_not_take_is_said_before_anything_is_asked(what: str) -> None:
    given, field = NOT_TAKEN[what]
    with pytest.raises(EndpointError) as raised:
        connect("http://127.0.0.1:9/v1", **given)
    assert raised.value.field == field and raised.value.mend


def test_a_store_whose_directory_is_a_file_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    with pytest.raises(InputError, match="kept"):
        connect("http://127.0.0.1:9/v1", store=tmp_path / "kept")


def test_both_functions_named_connect_serve_the_same_recipe() -> None:
    with FakeVLLM(answer=by_stage, context=8192, tokenizer="words") as server:
        with connect(server.url) as lm:
            assert lm.lm is lm
            assert lm.copy(temperature=0.5).lm.kwargs["temperature"] == 0.5
        for opened in (connect(server.url), pdr_dspy.endpoint.connect(server.url)):
            with opened, dspy.context(lm=opened.lm):
                assert isinstance(opened.lm, EndpointLM)
                assert PDR("problem -> answer", "long_cot", budget="tokens=2k")(problem="q").answer in {"0", "1", "2"}


@pytest.mark.parametrize("place", ["README.md", "docs", "experiments", "optimize", "pdr_dspy"])
def test_texts_name_the_one_connect_that_needs_no_more(place: str) -> None:
    top = ROOT / place
    files = [top] if top.is_file() else [*top.rglob("*.py"), *top.rglob("*.md")]
    says_that_it_works = ROOT / "pdr_dspy" / "endpoint" / "engine.py"
    old = re.compile(r"connect\([^()]*\)\.lm\b")
    found = {path for path in files if old.search(path.read_text(encoding="utf-8"))}
    assert found <= {says_that_it_works}


def test_connect_asks_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeVLLM(api_key="a-key-of-the-environment") as server:
        monkeypatch.setenv("PDR_ENDPOINT", server.url)
        monkeypatch.setenv("PDR_MODEL", "fake-model")
        monkeypatch.setenv("PDR_API_KEY", "a-key-of-the-environment")
        with connect() as lm:
            assert lm.model == "hosted_vllm/fake-model"
            assert "a-key" not in repr(lm.endpoint) + repr(lm.dump_state())
    monkeypatch.delenv("PDR_ENDPOINT")
    with pytest.raises(EndpointError, match="PDR_ENDPOINT"):
        connect()


def test_a_model_that_the_environment_names_wrongly_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeVLLM() as server:
        monkeypatch.setenv("PDR_MODEL", "another")
        with pytest.raises(EndpointError, match="'another' is not served") as raised:
            connect(server.url)
        assert raised.value.field == "PDR_MODEL"
        with connect(server.url, "fake-model"):
            pass
        with pytest.raises(EndpointError) as raised:
            connect(server.url, "a third")
        assert raised.value.field == "model"


def test_an_endpoint_that_nobody_closed_is_closed_at_the_end() -> None:
    with FakeVLLM() as server:
        source = f"""
import pdr_dspy.endpoint.caller as caller
from pdr_dspy import connect
kept = caller.Caller.keep_rest
caller.Caller.keep_rest = lambda self: (print("kept", flush=True), kept(self))[1]
lm = connect({server.url!r})
print("end", flush=True)
"""
        ran = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["end", "kept"], ran.stderr


def test_a_forked_child_closes_nothing_of_its_parents() -> None:
    with FakeVLLM() as server:
        source = f"""
import os, sys
import pdr_dspy.endpoint.caller as caller
from pdr_dspy import connect
kept = caller.Caller.keep_rest
caller.Caller.keep_rest = lambda self: (print("kept", os.getpid() == parent, flush=True), kept(self))[1]
parent = os.getpid()
lm = connect({server.url!r})
if not (child := os.fork()):
    sys.exit()
os.waitpid(child, 0)
print(lm.endpoint.answers(), flush=True)
"""
        ran = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["True", "kept True"], ran.stderr


def test_closing_twice_is_closing() -> None:
    with FakeVLLM() as server:
        lm = connect(server.url, store=MemoryStore())
        lm.close()
        lm.close()


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": 8000}, "endpoint"),
        ({"url": [8000]}, "endpoint"),
        ({"url": "localhost:8000"}, "endpoint"),
        ({"url": "http://a", "model": 3}, "model"),
        ({"url": "http://a", "api_key": 12345678}, "api key"),
        ({"url": "http://a", "load": "8"}, "load"),
        ({"url": "http://a", "load": 1.5}, "load"),
        ({"url": "http://a", "timeout": None}, "timeout"),
        ({"url": "http://a", "timeout": float("nan")}, "timeout"),
        ({"url": "http://a", "retries": True}, "retries"),
        ({"url": "http://a", "thinking": None}, "thinking"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else value,
)
def test_what_can_not_be_connected_to_is_said_before_anything_is_sent(given: dict[str, object], field: str) -> None:
    with pytest.raises(EndpointError) as raised:
        connect(**given)  # type: ignore[arg-type]
    assert raised.value.field == field
    assert "12345678" not in str(raised.value)
