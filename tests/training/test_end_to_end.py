"""Ten real steps on the shipped reasoner: sampler and trainer agree, a kill costs nothing, the model can be served."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from mlflow import MlflowClient  # noqa: E402

from experiments.training.config import CONFIGS  # noqa: E402
from experiments.training.folder import Folder  # noqa: E402
from pdr_dspy.embedded.launch import start  # noqa: E402

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
STEPS = 10


def configuration(folder: Path, **stage: Any) -> Path:
    """A small training: short chains, few groups."""
    data = yaml.safe_load((CONFIGS / "embedded.yaml").read_text())
    data["model"] = str(ROOT / data["model"])
    data["data"]["specs"] = ["worksheets:lines=2,count=400,split=train,seed=1"]
    caps = {"thinking": 120, "answer": 96}
    data["shape"] |= {"group": 4, "drafts": 2, "trace": caps, "draft": caps, "refine": caps, "workspace": 96}
    data["operator_rl"] |= {"steps": STEPS, "problems": 4, "micro_batch": 8, "ema": 0.5, **stage}
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def command(config: Path, output: Path, *more: str, stage: str = "operator_rl") -> list[str]:
    found = [sys.executable, "-m", "experiments.training", "--config", str(config), "--stage", stage]
    return [*found, "--output", str(output), *more]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def test_ten_steps_a_kill_and_a_model_that_can_be_served(tmp_path: Path) -> None:
    config, output = configuration(tmp_path), tmp_path / "out"
    running = subprocess.Popen(
        command(config, output), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    for line in running.stdout:  # until it is in the middle of the fourth step
        if line.startswith("update 4/"):
            running.send_signal(signal.SIGKILL)
            break
    running.wait()
    assert not (output / "final").exists()
    before = Folder(output).last_checkpoint()
    assert before is not None

    done = subprocess.run(command(config, output), cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    updates = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("update ")]
    first = int(before.name.rpartition("-")[2]) + 1
    assert updates == [f"{number}/{STEPS}" for number in range(first, STEPS + 1)]

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("pdr-dspy-training")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1 and runs[0].info.status == "FINISHED"
    run = runs[0].info.run_id
    for name in ("reward/trace", "reward/operator", "length/trace", "live_groups/operator", "entropy", "ratio/mean",
                 "loss", "grad_norm"):  # fmt: skip
        found = {metric.step: metric.value for metric in client.get_metric_history(run, name)}
        assert set(range(1, STEPS + 1)) <= set(found), name
    # None in a step whose gradient is nothing or one micro-batch's alone.
    assert client.get_metric_history(run, "signal_to_noise")
    apart = [metric.value for metric in client.get_metric_history(run, "sampler_difference/max")]
    assert max(apart) < 5e-3  # the sampler's and the trainer's log-probabilities, weights of every step
    assert min(apart) >= 0

    # Done is done.
    again = subprocess.run(command(config, output), cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert again.returncode == 0 and "update" not in again.stdout

    with start(weights=output / "final", threads=1) as server:
        text = "A: make 41 from 13, 7, 4"
        body = {"model": server.model, "messages": [{"role": "user", "content": text}], "max_tokens": 20}
        answer = httpx.post(f"{server.base_url}/chat/completions", json=body, headers=server.headers, timeout=60).json()
    assert answer["usage"]["completion_tokens"] > 0


def test_operator_sft_goes_on_after_a_kill_and_its_model_can_be_trained_on(tmp_path: Path) -> None:
    """A turn of sampling, some tokens of training, a kill in the middle of them; then a step of RL from there."""
    config, output = configuration(tmp_path, steps=1), tmp_path / "out"
    data = yaml.safe_load(config.read_text())
    data["operator_sft"] |= {"turns": 1, "tokens": 210_000}
    data["operator_sft"]["sheets"] |= {"count": 128, "drafts": 2, "spaces": 1, "lines": {2: 0.5, 3: 0.5}}
    config.write_text(yaml.safe_dump(data))
    sft = command(config, output, stage="operator_sft")
    running = subprocess.Popen(sft, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    for line in running.stdout:  # in the second chunk of two
        if line.startswith("update "):
            running.send_signal(signal.SIGKILL)
            break
    running.wait()
    assert (output / "checkpoint.pt").exists() and not (output / "final").exists()
    done = subprocess.run(sft, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "sampled" not in done.stdout  # the states were there
    assert done.stdout.count("update ") == 1
    losses = [float(line.split("loss ")[1].split()[0]) for line in done.stdout.splitlines() if "loss " in line]
    assert max(losses) < 0.2  # it was trained on this mixture, and has not forgotten it

    again = command(config, tmp_path / "rl", "--model", str(output / "final"))
    rl = subprocess.run(again, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert rl.returncode == 0, rl.stderr[-3000:]
    assert "update 1/1" in rl.stdout


def test_a_few_worksheets_are_learnt_by_heart(tmp_path: Path) -> None:
    """The overfit check: reward on the worksheets that are trained on must rise."""
    config = configuration(
        tmp_path, steps=14, problems=4, rate=3e-4, reward="parts", warm_up=0, ema=None, shares={"operator": 1.0}
    )
    data = yaml.safe_load(config.read_text())
    data["data"]["specs"] = ["worksheets:lines=4,count=4,split=train,seed=8"]
    data["shape"]["group"] = 16
    config.write_text(yaml.safe_dump(data))
    done = subprocess.run(
        command(config, tmp_path / "out"), cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rewards = [
        float(line.split("reward/operator ")[1].split()[0])
        for line in done.stdout.splitlines()
        if line.startswith("update ")
    ]
    assert len(rewards) == 14
    assert sum(rewards[-4:]) / 4 > sum(rewards[:4]) / 4 + 0.1
