"""From a configuration to TRL's settings, and what can't be trained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from accelerate import PartialState  # noqa: E402
from transformers import GPT2Config, GPT2LMHeadModel, TrainerControl, TrainerState  # noqa: E402

from experiments.configuration import ConfigError  # noqa: E402
from experiments.training import rollout_function  # noqa: E402
from experiments.training.callbacks import TimeLimit  # noqa: E402
from experiments.training.config import load_config  # noqa: E402
from experiments.training.folder import Folder  # noqa: E402
from experiments.training.models import load  # noqa: E402
from experiments.training.reinforce import Begun, arguments  # noqa: E402
from experiments.training.rollout_function import RolloutFunction  # noqa: E402
from experiments.training.rollouts import Rollout, Tokens  # noqa: E402
from experiments.training.schedule import Asked  # noqa: E402
from pdr_dspy.data import load_data  # noqa: E402
from pdr_dspy.errors import EndpointError  # noqa: E402


def test_the_papers_sizes_as_trl_has_them(tmp_path: Path) -> None:
    config = load_config("qwen3-8b")
    begun = Begun(config, config.operator_rl, "operator_rl", config.model, Folder(tmp_path), None, tmp_path)
    found = arguments(begun, processes=8)
    assert found.per_device_train_batch_size * found.steps_per_generation * 8 == 32 * 32
    assert found.steps_per_generation // found.gradient_accumulation_steps == 4  # updates
    assert (found.loss_type, found.epsilon_high, found.beta, found.num_generations) == ("cispo", 5.0, 0.0, 32)
    assert found.temperature == 1.0 and found.scale_rewards == "group"
    assert found.use_vllm and found.vllm_mode == "colocate"
    assert not found.vllm_importance_sampling_correction  # the objective has no such factor
    assert not found.shuffle_dataset and not found.mask_truncated_completions


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c"])
def test_a_model_that_is_not_there_is_told_at_once(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        load(load_config("embedded"), name)
    assert error.value.field == "--model"


def test_a_model_of_another_kind_is_told(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=20)).save_pretrained(tmp_path)
    with pytest.raises(ConfigError) as error:
        load(load_config("embedded"), str(tmp_path))
    assert error.value.field == "--model"


def test_the_time_limit_ends_a_run_only_where_a_rollout_step_ends() -> None:
    PartialState(cpu=True)  # as a trainer makes it
    limit = TimeLimit(minutes=1e-9, updates=4)
    stopped = []
    for step in range(1, 9):
        control = TrainerControl()
        limit.on_step_end(None, TrainerState(global_step=step, max_steps=12), control)  # type: ignore[arg-type]
        stopped.append(control.should_training_stop)
    assert stopped == [False] * 3 + [True] + [False] * 3 + [True]
    assert limit.reached


def asked(groups: dict[str, list[Rollout]], monkeypatch: pytest.MonkeyPatch) -> dict[str, list[object]]:
    """What the rollout function gives TRL where these groups come about."""
    config = load_config("embedded")
    draw = RolloutFunction(config, load_data("worksheets:lines=1,count=2,split=train"), "answer")

    class Groups:
        async def group(self, mode: str, problem: object, seed: int) -> list[Rollout]:
            return groups[mode]

    policy = SimpleNamespace(rollouts=Groups(), load=lambda model: None)
    monkeypatch.setattr(draw, "_opened", lambda trainer: policy)
    trainer = SimpleNamespace(
        accelerator=SimpleNamespace(unwrap_model=lambda model: model, is_main_process=True),
        model=None,
        processing_class=SimpleNamespace(eos_token_id=4),
    )
    ids = [problem.id for problem in draw._dataset.problems]
    rows = [Asked("trace", ids[0], 0), Asked("operator", ids[1], 1)]
    return draw([row.text() for row in rows for _ in range(config.shape.group)], trainer)


def test_a_group_that_did_not_come_about_keeps_its_place_and_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    size = load_config("embedded").shape.group
    row = Rollout("trace", Tokens((1,), (2, 3), (-1.0, -1.0), (1, 1)), 1.0, True)
    found = asked({"trace": [row] * size, "operator": []}, monkeypatch)
    assert found["mode"] == ["trace"] * size + ["operator"] * size
    assert found["env_mask"] == [[1, 1]] * size + [[0]] * size
    assert found["right"] == [True] * size + [False] * size
    assert len(set(found["reward"][size:])) == 1


def test_a_step_without_any_group_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EndpointError):
        asked({"trace": [], "operator": []}, monkeypatch)
    assert rollout_function._APART > 3  # more than the tries of one group
