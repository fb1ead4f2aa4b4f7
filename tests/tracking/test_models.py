"""PDR programs as MLflow models: logged without a key, loaded elsewhere, served; and what autolog's traces say."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes.stages import by_stage
from fakes.vllm import FakeVLLM

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
KEY = "canary-key-0123456789abcdef"

LOG = """
import json, sys, dspy, mlflow
from pdr_dspy import PDR, connect
folder = sys.argv[1]
workflow = {"name": "small", "rounds": [{"width": 3, "distill": {"kind": "summary", "tokens": 64}}, {"width": 1}]}

class Bigger(dspy.Module):
    def __init__(self):
        super().__init__()
        self.solve = PDR("question -> answer", workflow, budget="tokens=8k")
    def forward(self, question):
        return self.solve(question=question)

mlflow.set_experiment("models")
mlflow.dspy.autolog()
dspy.configure(lm=connect(), adapter=dspy.ChatAdapter())
program = PDR("question -> answer", workflow, budget="tokens=8k")
program(question="traced")
mlflow.flush_trace_async_logging()
trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
root = trace.data.spans[0]
spans = [span.name for span in trace.data.spans if span.parent_id == root.span_id]
mlflow.dspy.autolog(disable=True)
with_lm = program.deepcopy()
with_lm.set_lm(dspy.settings.lm)
uris = {}
for name, model, more in (
    ("pickled", program, {"input_example": {"question": "x"}}), ("saved", program, {"use_dspy_model_save": True}),
    ("with_lm", with_lm, {}), ("inside", Bigger(), {}),
):
    with mlflow.start_run():
        uris[name] = mlflow.dspy.log_model(model, name=name, pip_requirements=["dspy"], **more).model_uri
print(json.dumps({"spans": spans, "uris": uris, "outputs": root.outputs, "trace": trace.to_json()}))
"""

PREDICT = """
import json, sys, mlflow
found = {}
for name, uri in json.loads(sys.argv[1]).items():
    model = mlflow.pyfunc.load_model(uri)
    try:
        found[name] = {**model.predict({"question": "x"}), "budget": str(mlflow.dspy.load_model(uri).budget)}
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found, default=str))
"""


def python(script: str, *words: str, folder: Path, **environment: str) -> Any:
    """What a script prints last, as JSON; it runs in a process and a folder of its own."""
    ran = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=folder,
        env={**bare(folder), **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-5000:]
    assert KEY not in ran.stdout + ran.stderr
    return json.loads(ran.stdout.strip().splitlines()[-1])


def bare(folder: Path) -> dict[str, str]:
    """An environment without endpoint."""
    kept = {name: value for name, value in os.environ.items() if "API_KEY" not in name and not name.startswith("PDR_")}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/m.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


@pytest.fixture(scope="module")
def model() -> Iterator[FakeVLLM]:
    """A server that wants the key."""
    with FakeVLLM(answer=by_stage, context=32768, tokenizer="words", api_key=KEY) as server:
        yield server


@pytest.fixture(scope="module")
def named(model: FakeVLLM) -> dict[str, str]:
    """The environment that names it."""
    return {"PDR_ENDPOINT": model.url, "PDR_MODEL": "fake-model", "PDR_API_KEY": KEY}


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory, named: Mapping[str, str]) -> tuple[Path, dict[str, Any]]:
    """A folder with what was logged, and what the process that did so says."""
    folder = tmp_path_factory.mktemp("models")
    return folder, python(LOG, str(folder), folder=folder, **named)


def test_a_trace_names_the_calls_of_a_run(logged: tuple[Path, dict[str, Any]]) -> None:
    _, said = logged
    names = ["draft 1 of 3", "draft 2 of 3", "draft 3 of 3", "distill round 1", "refine"]
    assert sorted(said["spans"]) == sorted(f"{name}.forward" for name in names)
    assert {"answer", "reasoning"} <= set(said["outputs"])
    assert KEY not in said["trace"]


def test_nothing_that_was_logged_holds_the_key_or_the_address(
    logged: tuple[Path, dict[str, Any]], model: FakeVLLM
) -> None:
    files = [file for file in logged[0].rglob("*") if file.is_file()]
    assert any(file.name == "model.pkl" for file in files) and any(file.name == "program.pkl" for file in files)
    holding = [file for file in files if KEY.encode() in file.read_bytes()]
    assert holding == []
    models = [file for file in files if file.name.endswith((".pkl", ".json", "MLmodel"))]
    assert [file for file in models if model.url.removeprefix("http://").encode() in file.read_bytes()] == []


def test_loaded_elsewhere_it_goes_to_the_endpoint_of_the_environment(
    logged: tuple[Path, dict[str, Any]], named: Mapping[str, str]
) -> None:
    folder, said = logged
    uris = json.dumps({name: uri for name, uri in said["uris"].items() if name != "inside"})
    found = python(PREDICT, uris, folder=folder, **named)
    assert set(found) == {"pickled", "saved", "with_lm"}
    for outputs in found.values():
        assert outputs["answer"] in {"0", "1", "2"} and outputs["budget"] == "tokens=8k", found
    missing = python(PREDICT, uris, folder=folder)
    assert all("EndpointError: PDR_ENDPOINT" in said for said in missing.values()), missing


@pytest.mark.parametrize("name", ["pickled", "inside"])
def test_a_served_model_answers(name: str, logged: tuple[Path, dict[str, Any]], named: Mapping[str, str]) -> None:
    folder, said = logged
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", said["uris"][name], "--env-manager", "local",
               "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--timeout", "300"]  # fmt: skip
    log = folder / f"serve-{name}.log"
    environment = {**bare(folder), **named, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        until = time.monotonic() + 300
        while not up(url):
            assert server.poll() is None and time.monotonic() < until, log.read_text()[-5000:]
            time.sleep(0.5)
        reply = httpx.post(f"{url}/invocations", json={"inputs": {"question": "x"}}, timeout=120)
        assert reply.status_code == 200, reply.text
        predictions = reply.json()["predictions"]
        assert predictions["answer"] in {"0", "1", "2"}
        refused = httpx.post(f"{url}/invocations", json={"inputs": {"nonesuch": "x"}}, timeout=120)
        assert refused.status_code >= 400
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(30)
    assert KEY not in log.read_text()


def up(url: str) -> bool:
    """Whether the server answers."""
    try:
        return httpx.get(f"{url}/ping", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
