"""The configuration composes with verl's own, passes its validation, and loads what it names."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("verl")

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl.experimental.agent_loop.agent_loop import _agent_loop_registry
from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import omega_conf_to_dataclass, validate_config
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

import experiments.training.verl
from experiments.training.rollouts.shapes import Shape
from experiments.training.verl import policy_loss, prepare
from experiments.training.verl.agent_loop import OperatorLoop
from experiments.training.verl.rollouts import task_of
from pdr_dspy.data import GRADERS
from pdr_dspy.data.worksheets import Worksheet
from pdr_dspy.embedded.serve import WEIGHTS
from pdr_dspy.errors import DataError

FOLDER = Path(experiments.training.verl.__file__).parent


def composed(*overrides: str) -> Any:
    with initialize_config_dir(str(FOLDER), version_base=None):
        return compose("qwen3-8b", [*overrides])


@pytest.mark.parametrize("nodes", [1, 8])
def test_verl_accepts_it_on_8_and_64_gpus(nodes: int) -> None:
    config = composed(f"trainer.nnodes={nodes}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no critic
        critic = need_critic(config)
        assert not critic and not need_reference_policy(config)
        validate_config(config, use_reference_policy=False, use_critic=critic)
    OmegaConf.to_container(config, resolve=True)  # as its runner does


def test_it_has_the_papers_sizes() -> None:
    config = composed()
    rollout, actor = config.actor_rollout_ref.rollout, omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    assert (config.data.train_batch_size, rollout.n, rollout.temperature, rollout.top_p) == (32, 32, 1.0, 1.0)
    assert config.data.train_batch_size // actor.ppo_mini_batch_size == 4
    shape = Shape(**OmegaConf.to_container(config.pdr))
    assert shape.drafts == 4
    assert all((caps.thinking, caps.answer) == (16_384, 2048) for caps in (shape.trace, shape.draft, shape.refine))
    assert config.algorithm.pdr == {"alpha": 0.1, "shares": {"trace": 0.5, "operator": 0.5}}
    assert rollout.response_length == shape.refine.total
    assert rollout.max_model_len == rollout.prompt_length + rollout.response_length
    longest = actor.ppo_max_token_len_per_gpu * actor.ulysses_sequence_parallel_size
    assert longest >= rollout.max_model_len, "verl can't cut a sequence into two parts of an update"


def test_what_it_names_is_loaded_and_registered() -> None:
    config = composed(f"actor_rollout_ref.model.path={WEIGHTS}")
    model = omega_conf_to_dataclass(config.actor_rollout_ref.model)  # as every process of verl makes it
    assert model.external_lib == ["experiments.training.verl.agent_loop", "experiments.training.verl.policy_loss"]
    kind = f"{OperatorLoop.__module__}.{OperatorLoop.__qualname__}"
    assert _agent_loop_registry[config.actor_rollout_ref.rollout.agent.default_agent_loop]["_target_"] == kind
    assert ADV_ESTIMATOR_REGISTRY[config.algorithm.adv_estimator] is policy_loss.mode_advantages
    assert POLICY_LOSS_REGISTRY[config.actor_rollout_ref.actor.policy_loss.loss_mode] is policy_loss.cispo_sft


def test_verls_data_set_reads_the_prepared_rows(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    assert prepare.main(["worksheets:lines=2,count=9,split=train", str(file), "--batch", "4"]) == 16
    config = composed(f"data.train_files={file}", f"+data.cache_dir={tmp_path}", "data.filter_overlong_prompts=false")
    data = RLHFDataset(str(file), AutoTokenizer.from_pretrained(WEIGHTS), config.data)
    batch = collate_fn([data[number] for number in range(4)])
    assert sorted(batch["mode"]) == ["operator", "operator", "trace", "trace"]
    assert list(batch["agent_name"]) == ["pdr_operator"] * 4
    assert batch["raw_prompt"][0][0]["role"] == "user"
    task = task_of({name: column[0] for name, column in batch.items()})
    assert task.signature is Worksheet and task.grader.name == "worksheet"
    assert task.problems[0].inputs["problem"] == batch["raw_prompt"][0][0]["content"]


def test_a_problem_comes_once_in_each_mode(tmp_path: Path) -> None:
    table, file = tmp_path / "table.jsonl", tmp_path / "rows.jsonl"
    table.write_text("".join(json.dumps({"problem": f"{n} + 1?", "answer": str(n + 1)}) + "\n" for n in range(10)))
    prepare.main([str(table), str(file), "--batch", "2"])
    found = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted((row["id"], row["mode"]) for row in found) == sorted(
        (str(n), mode) for n in range(1, 11) for mode in ("trace", "operator")
    )
    assert all(
        {first["mode"], second["mode"]} == {"trace", "operator"}
        for first, second in zip(found[::2], found[1::2], strict=True)
    )
    assert task_of(found[0]).problems[0].answer == found[0]["answer"] and task_of(found[0]).grader.name in GRADERS
    prepare.main([str(table), str(file), "--mode", "operator"])
    assert {json.loads(line)["mode"] for line in file.read_text().splitlines()} == {"operator"}


@pytest.mark.parametrize("batch", ["3", "64"])
def test_a_batch_that_cannot_be_is_refused(tmp_path: Path, batch: str) -> None:
    with pytest.raises(DataError, match="batch"):
        prepare.main(["worksheets:count=4,split=train", str(tmp_path / "rows.jsonl"), "--batch", batch])
