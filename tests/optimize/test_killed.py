"""The command in a process of its own, killed in the middle: the same command goes on, and MLflow has every trial."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes.vllm import FakeVLLM
from search_support import assert_nothing_paid_twice, solve

ROOT = Path(__file__).parents[2]
TRIALS = 5

pytestmark = pytest.mark.slow


def test_a_killed_search_goes_on_without_paying_twice(model: FakeVLLM, data: Path, tmp_path: Path) -> None:
    model.answer = lambda call: solve(call, delay=0.15)
    command = [sys.executable, str(ROOT / "optimize" / "search.py"), "--budget", "tokens=4k", "--study", "s"]
    command += ["--endpoint", model.url, "--data", str(data), "--trials", str(TRIALS), "--problems", "6"]
    command += ["--report-problems", "6", "--front", "2"]
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}

    first = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    model.wait(lambda m: m.succeeded >= 40 or first.poll() is not None, 120)
    assert first.poll() is None, first.communicate()[0].decode()
    killed = time.time()
    first.kill()
    first.communicate()
    model.wait(lambda m: m.in_flight == 0)

    second = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert second.returncode == 0, second.stderr
    assert "accuracy [95 %]" in second.stdout and "Traceback" not in second.stderr
    assert_nothing_paid_twice(model, killed)

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("s")
    runs = client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")
    trials = [run for run in runs if run.data.tags["role"] == "trial"]
    studies = [run for run in runs if run.data.tags["role"] == "study"]
    assert len(studies) == 1 and len(trials) >= TRIALS
    for run in trials:
        assert {"topology", "cap", "temperature", "prompt_draft"} <= set(run.data.params)
        wanted = {"accuracy", "accuracy_low", "latency_p50", "latency_p95", "mean_b_seq", "mean_b_total"}
        wanted |= {"mean_nominal_seq", "mean_calls", "failed", "sum_total_generated"}
        assert wanted <= set(run.data.metrics)
        assert {a.path for a in client.list_artifacts(run.info.run_id)} >= {"workflow.yaml", "problems.json"}
    kept = {a.path for a in client.list_artifacts(studies[0].info.run_id)}
    assert {"pareto.html", "pareto.png", "winner.yaml", "front.json", "report.md"} <= kept
    assert {"parallel_coordinates.html", "importance.html", "heat_map.html", "report.html"} <= kept
