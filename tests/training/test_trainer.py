"""The trainer's gradient is the objective's in closed form: modes in their shares, clipped ratios, the SFT term."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from datasets import Dataset  # noqa: E402
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, TrainerCallback  # noqa: E402
from trl import GRPOConfig  # noqa: E402

from experiments.training.objective import advantages, cispo, sft, trimmed  # noqa: E402
from experiments.training.trainer import OperatorTrainer, reward  # noqa: E402

TOKENIZER = Path(__file__).parents[2] / "pdr_dspy" / "embedded" / "weights"
GROUP = 4


def model_of(seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    shape = LlamaConfig(
        vocab_size=938, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, pad_token_id=0, eos_token_id=4, initializer_range=0.4,
    )  # fmt: skip
    return LlamaForCausalLM(shape)


def rows_of(modes: list[str], seed: int = 1) -> dict[str, list[Any]]:
    """Random rows, a group of each mode: all right in the last group, forced tokens here and there."""
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, list[Any]] = {name: [] for name in ("prompt_ids", "completion_ids", "logprobs", "env_mask")}
    found |= {"mode": [], "reward": [], "right": []}
    for number, mode in enumerate(modes):
        for _ in range(GROUP):
            prompt = torch.randint(10, 900, (3 + 5 * number,), generator=generator).tolist()
            drawn = torch.randint(10, 900, (int(torch.randint(2, 9, (), generator=generator)),), generator=generator)
            right = number == len(modes) - 1 or bool(torch.rand((), generator=generator) < 0.5)
            mask = [1] * len(drawn)
            if len(drawn) > 3:
                mask[2] = 0
            values = (prompt, drawn.tolist(), [-2.0] * len(drawn), mask, mode, 1.0 if right else -1.0, right)
            for name, value in zip(found, values, strict=True):
                found[name].append(value)
    return found


class Watching(OperatorTrainer):
    """Keeps what each update's gradient was, and of which rows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slices: list[dict[str, Any]] = []

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        self.slices.append(inputs)
        return super()._compute_loss(model, inputs)


class Gradients(TrainerCallback):
    def __init__(self) -> None:
        self.found: list[Any] = []
        self.weights: list[dict[str, Any]] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.weights.append({k: v.clone() for k, v in given["model"].state_dict().items()})

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.found.append(flat(given["model"]))


def flat(model: Any) -> Any:
    return torch.cat([p.grad.flatten().clone() for p in model.parameters()])


def trained(
    tmp_path: Path, modes: list[str], *, updates: int, alpha: float, rate: float = 1e-3, policy: float = 1.0
) -> Any:
    rows = rows_of(modes)
    passes = 4
    watching = Gradients()
    trainer = Watching(
        model=model_of(),
        reward_funcs=[reward],
        args=GRPOConfig(
            output_dir=str(tmp_path), max_steps=updates, per_device_train_batch_size=len(modes) * GROUP // passes,
            steps_per_generation=passes, gradient_accumulation_steps=passes // updates, num_generations=GROUP,
            shuffle_dataset=False, loss_type="cispo", epsilon_high=5.0, beta=0.0, learning_rate=rate,
            lr_scheduler_type="constant", max_grad_norm=1e9, use_cpu=True, bf16=False, gradient_checkpointing=False,
            report_to="none", save_strategy="no", disable_tqdm=True, logging_steps=1, temperature=1.0,
        ),
        train_dataset=Dataset.from_list([{"prompt": str(number)} for number in range(len(modes))]),
        processing_class=AutoTokenizer.from_pretrained(TOKENIZER),
        rollout_func=lambda prompts, trainer: rows,
        policy=policy,
        alpha=alpha,
        shares={"trace": 0.5, "operator": 0.5},
        callbacks=[watching],
    )  # fmt: skip
    trainer.train()
    return trainer, watching, rows


def log_probs(model: Any, rows: dict[str, list[Any]]) -> tuple[Any, Any]:
    """Log-probabilities and mask, each row run alone."""
    longest = max(map(len, rows["completion_ids"]))
    found, mask = [], torch.zeros(len(rows["mode"]), longest)
    for place, (prompt, drawn) in enumerate(zip(rows["prompt_ids"], rows["completion_ids"], strict=True)):
        ids = torch.tensor([[*prompt, *drawn]])
        every = model(input_ids=ids).logits[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        own = every[len(prompt) - 1 :]
        found.append(torch.nn.functional.pad(own, (0, longest - len(own))))
        mask[place, : len(own)] = torch.tensor(rows["env_mask"][place], dtype=torch.float)
    return torch.stack(found), mask


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_one_update_is_the_objective_in_closed_form(tmp_path: Path, alpha: float) -> None:
    modes = ["trace", "operator", "trace", "operator"]
    _, watching, rows = trained(tmp_path, modes, updates=1, alpha=alpha)
    model = model_of()
    found, mask = log_probs(model, rows)
    normalised = advantages(torch.tensor(rows["reward"]), GROUP)
    right = torch.tensor(rows["right"])
    objective = torch.zeros(())
    for mode in ("trace", "operator"):
        own = torch.tensor([each == mode for each in rows["mode"]])
        part = cispo(found[own], found[own].detach(), normalised[own], mask[own], ceiling=5.0)
        objective = objective + 0.5 * (part + alpha * sft(found[own], right[own], mask[own]))
    (-objective).backward()
    assert torch.allclose(watching.found[0], flat(model), atol=1e-5, rtol=1e-3)
    assert watching.found[0].norm() > 1e-2


def test_all_right_groups_have_the_sft_term_alone(tmp_path: Path) -> None:
    _, with_term, _ = trained(tmp_path / "a", ["trace", "operator"], updates=1, alpha=0.1)
    _, without, rows = trained(tmp_path / "b", ["trace", "operator"], updates=1, alpha=0.0)
    model = model_of()
    found, mask = log_probs(model, rows)
    right = torch.tensor(rows["right"])
    assert all(rows["right"][GROUP:])  # the operator group
    terms = [sft(found[half], right[half], mask[half]) for half in (slice(0, GROUP), slice(GROUP, None))]
    (-0.1 * 0.5 * (terms[0] + terms[1])).backward()
    assert torch.allclose(with_term.found[0] - without.found[0], flat(model), atol=1e-5, rtol=1e-3)


def test_without_a_policy_term_right_rows_alone_are_learnt(tmp_path: Path) -> None:
    modes = ["trace", "operator", "trace", "operator"]
    _, watching, rows = trained(tmp_path, modes, updates=1, alpha=1.0, policy=0.0)
    model = model_of()
    found, mask = log_probs(model, rows)
    right = torch.tensor(rows["right"])
    assert not all(rows["right"])
    terms = []
    for mode in ("trace", "operator"):
        own = torch.tensor([each == mode for each in rows["mode"]])
        terms.append(sft(found[own], right[own], mask[own]))
    (-0.5 * (terms[0] + terms[1])).backward()
    assert torch.allclose(watching.found[0], flat(model), atol=1e-5, rtol=1e-3)


def test_later_updates_weigh_tokens_by_a_clipped_ratio_whose_gradient_is_stopped(tmp_path: Path) -> None:
    modes = ["trace", "operator", "trace", "operator"]
    trainer, watching, _ = trained(tmp_path, modes, updates=2, alpha=0.1, rate=0.3)
    model = model_of()
    model.load_state_dict(watching.weights[1])  # after a first update, wild enough to reach the ceiling
    ratios = []
    total = trainer.slices[0]["num_items_in_batch"]
    value = torch.zeros(())
    for inputs in map(trimmed, trainer.slices[2:]):
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
        attention = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1)
        scores = model(input_ids=ids, attention_mask=attention).logits[:, :-1].log_softmax(-1)
        found = scores.gather(2, ids[:, 1:, None])[..., 0][:, -inputs["completion_ids"].shape[1] :]
        mask = inputs["completion_mask"] * inputs["tool_mask"]
        ratio = (found - inputs["old_per_token_logps"]).exp().detach()
        ratios += ratio[mask.bool()].tolist()
        each = (ratio.clamp(max=5.0) * inputs["advantages"][:, None] * found * mask).sum() / total
        mean = (found * mask).sum(1) / mask.sum(1)
        value = value + 2 * (each + 0.1 * (mean * inputs["sft_weights"]).sum())
    (-value).backward()
    assert max(ratios) > 5 > min(ratios)
    assert torch.allclose(watching.found[1], flat(model), atol=1e-4, rtol=1e-2)


def test_each_modes_numbers_are_logged(tmp_path: Path) -> None:
    trainer, _, rows = trained(tmp_path, ["trace", "operator"], updates=1, alpha=0.1)
    logs = next(entry for entry in trainer.state.log_history if "loss" in entry)
    own = rows["reward"][:GROUP]
    assert logs["reward/trace"] == pytest.approx(sum(own) / GROUP)
    assert logs["right/operator"] == 1.0
    assert logs["live_groups/operator"] == 0.0
    assert logs["live_groups/trace"] == float(len(set(own)) > 1)
    assert logs["length/trace"] == pytest.approx(sum(map(sum, rows["env_mask"][:GROUP])) / GROUP)
    assert logs["sampler_difference/max"] > 0  # these rows' log-probabilities are made up


def test_padding_that_all_rows_share_is_cut_off() -> None:
    rows = {
        "prompt_mask": torch.tensor([[0, 0, 1], [0, 1, 1]]),
        "prompt_ids": torch.tensor([[0, 0, 7], [0, 8, 9]]),
        "completion_mask": torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0]]),
        "completion_ids": torch.tensor([[5, 6, 0, 0], [5, 0, 0, 0]]),
        "old_per_token_logps": torch.ones(2, 4),
        "advantages": torch.ones(2),
    }
    found = trimmed(rows)
    assert found["prompt_ids"].tolist() == [[0, 7], [8, 9]]
    assert found["completion_ids"].tolist() == [[5, 6], [5, 0]]
    assert found["old_per_token_logps"].shape == (2, 2)
    assert found["advantages"].shape == (2,)
