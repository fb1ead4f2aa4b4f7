"""The loss through verl's own functions (estimator call, padding, aggregation, `ppo_loss`) against the closed forms."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("verl")

import numpy as np  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from tensordict import TensorDict  # noqa: E402
from torch import Tensor  # noqa: E402
from verl import DataProto  # noqa: E402
from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics  # noqa: E402
from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories  # noqa: E402
from verl.utils import tensordict_utils as tu  # noqa: E402
from verl.workers.config import FSDPActorConfig, PolicyLossConfig  # noqa: E402
from verl.workers.utils.losses import ppo_loss  # noqa: E402
from verl.workers.utils.padding import response_to_nested  # noqa: E402

from experiments.training import objective  # noqa: E402
from experiments.training.verl.agent_loop import ModeOutput  # noqa: E402
from experiments.training.verl.policy_loss import apart, mode_advantages  # noqa: E402
from pdr_dspy.errors import InputError  # noqa: E402

ALPHA, CEILING = 0.1, 5.0
SHARES = {"trace": 0.5, "operator": 0.5}


@dataclasses.dataclass
class Row:
    """One rollout of a made-up step."""

    uid: str
    mode: Any
    right: bool
    mask: list[int]
    old: Tensor
    new: Tensor  # log-probabilities with gradient


def step(groups: list[tuple[str, list[bool]]], seed: int = 0, *, shortest: int = 2) -> list[Row]:
    """Groups (mode, who is right) of rollouts of random lengths, some tokens forced."""
    draw = torch.Generator().manual_seed(seed)
    made = []
    for number, (mode, right) in enumerate(groups):
        for is_right in right:
            length = int(torch.randint(shortest, 9, (1,), generator=draw))
            mask = [1] * length
            if length > 3:
                mask[int(torch.randint(0, length, (1,), generator=draw))] = 0
            old = -torch.rand(length, generator=draw) * 3
            new = (old + torch.randn(length, generator=draw)).clamp(max=0).requires_grad_()
            made.append(Row(f"u{number}", mode, is_right, mask, old, new))
    return made


def nested(parts: list[Tensor]) -> Tensor:
    return torch.nested.as_nested_tensor(parts, layout=torch.jagged)


def scores(row: Row) -> Tensor:
    """The reward as the agent loop hands it to verl."""
    output = ModeOutput(
        prompt_ids=[1], response_ids=[2] * len(row.mask), response_mask=row.mask, mode=row.mode,
        reward_score=1.0 if row.right else -1.0, metrics=AgentLoopMetrics(), num_turns=2,
    )  # fmt: skip
    return output.as_dict()["rm_scores"]


def advantages(rows: list[Row], alpha: float = ALPHA, padding: int = 0) -> Tensor:
    """verl's `_compute_advantage` from the queue's fields to the nested advantages of the rows."""
    masks = [torch.tensor(row.mask) for row in rows] + [torch.zeros(1, dtype=torch.long)] * padding
    rewards = [scores(row) for row in rows] + [torch.zeros(1)] * padding
    mask = nested(masks)
    fields = {"response_mask": mask, "token_level_rewards": nested(rewards)}
    data = DataProto(batch=TensorDict(fields, batch_size=len(masks)).to_padded_tensor())
    uids = [row.uid for row in rows] + ["padding"] * padding
    data.non_tensor_batch["uid"] = np.array(uids, dtype=object)
    config = OmegaConf.create({"pdr": {"alpha": alpha, "shares": SHARES}})
    keys = [f"{uid}_{number}_0" for number, uid in enumerate(uids)]
    found = compute_advantage_for_multi_trajectories(data, keys, "pdr_modes", config=config)
    return response_to_nested(found.batch["advantages"], mask)


def actor() -> Any:
    return FSDPActorConfig(
        strategy="fsdp2", rollout_n=4, ppo_micro_batch_size_per_gpu=1, clip_ratio_low=1.0, clip_ratio_high=CEILING - 1,
        policy_loss=PolicyLossConfig(loss_mode="pdr_cispo_sft"),
    )  # fmt: skip


def verls(rows: list[Row], own: Tensor, *, tokens: int, of: int, ranks: int = 1) -> tuple[Tensor, dict[str, Any]]:
    """verl's `ppo_loss` on some rows of an update of `of` rows and `tokens` tokens."""
    lengths = [len(row.mask) for row in rows]
    data = TensorDict(
        {
            "prompts": nested([torch.ones(1, dtype=torch.long)] * len(rows)),
            "responses": nested([torch.ones(length, dtype=torch.long) for length in lengths]),
            "response_mask": nested([torch.tensor(row.mask) for row in rows]),
            "old_log_probs": nested([row.old for row in rows]),
            "advantages": own,
        },
        batch_size=len(rows),
    )
    tu.assign_non_tensor(data, dp_size=ranks, batch_num_tokens=tokens, global_batch_size=of)
    # The model's output has a token's log-probability one place earlier, and something at its end.
    output = {"log_probs": nested([torch.cat([row.new, torch.zeros(1)]) for row in rows])}
    return ppo_loss(actor(), output, data)


def closed(rows: list[Row]) -> Tensor:
    """J of the rows, by the closed forms."""
    width = max(len(row.mask) for row in rows)

    def padded(parts: list[Tensor]) -> Tensor:
        return torch.stack([torch.nn.functional.pad(part, (0, width - len(part))) for part in parts])

    total = torch.zeros(())
    for mode, share in SHARES.items():
        mine = [row for row in rows if row.mode == mode]
        if not mine:
            continue
        size = sum(row.uid == mine[0].uid for row in mine)
        rewards = torch.tensor([1.0 if row.right else -1.0 for row in mine])
        new, old = padded([row.new for row in mine]), padded([row.old for row in mine])
        mask = padded([torch.tensor(row.mask) for row in mine])
        part = objective.cispo(new, old, objective.advantages(rewards, size), mask, ceiling=CEILING)
        total = total + share * (part + ALPHA * objective.sft(new, rewards > 0, mask))
    present = sum(share for mode, share in SHARES.items() if any(row.mode == mode for row in rows))
    return total / present


def whole(rows: list[Row]) -> Tensor:
    """verl's loss of a step that is one update."""
    tokens = sum(sum(row.mask) for row in rows)
    return verls(rows, advantages(rows), tokens=tokens, of=len(rows))[0]


def gradients(of: Tensor, rows: list[Row]) -> list[Tensor]:
    return list(torch.autograd.grad(of, [row.new for row in rows]))


MIXED = [
    ("trace", [True, False, False, True]),
    ("operator", [True, True, True, False]),
    ("trace", [False] * 4),
    ("operator", [True] * 4),
]


def test_the_loss_and_its_gradient_are_the_closed_forms() -> None:
    rows = step(MIXED)
    loss, wanted = whole(rows), closed(rows)
    assert torch.allclose(loss, -wanted, rtol=1e-5)
    for own, other in zip(gradients(loss, rows), gradients(-wanted, rows), strict=True):
        assert torch.allclose(own, other, rtol=1e-4, atol=1e-7)


@settings(max_examples=30)
@given(
    groups=st.lists(
        st.tuples(st.sampled_from(["trace", "operator"]), st.lists(st.booleans(), min_size=3, max_size=3)),
        min_size=1, max_size=5,
    ),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_the_loss_is_the_closed_form_for_any_step(groups: list[tuple[str, list[bool]]], seed: int) -> None:
    rows = step(groups, seed)
    assert torch.allclose(whole(rows), -closed(rows), rtol=1e-4, atol=1e-6)


def test_a_group_that_is_all_right_is_trained_by_the_sft_term_alone() -> None:
    rows = step([("operator", [True] * 3)])
    plain, weights = apart(advantages(rows).to_padded_tensor(0.0), nested_mask(rows))
    assert not plain.any() and (weights > 0).all()
    for row, own in zip(rows, gradients(whole(rows), rows), strict=True):
        mask = torch.tensor(row.mask)
        assert torch.allclose(own, -ALPHA * mask / mask.sum() / 3)


def test_a_group_that_is_all_wrong_has_no_gradient() -> None:
    rows = step([("trace", [False] * 3)])
    assert all(not own.any() for own in gradients(whole(rows), rows))


def test_forced_tokens_have_no_gradient() -> None:
    rows = step(MIXED)
    for row, own in zip(rows, gradients(whole(rows), rows), strict=True):
        assert not own[torch.tensor(row.mask) == 0].any()


def test_a_ratio_above_the_ceiling_keeps_its_tokens_gradient() -> None:
    rows = step([("trace", [True, False])])
    for row in rows:
        row.old = (row.new.detach() - 3).clone()  # a ratio of 20
    assert torch.allclose(whole(rows), -closed(rows), rtol=1e-5)
    assert all(
        own[torch.tensor(row.mask) == 1].all() for own, row in zip(gradients(whole(rows), rows), rows, strict=True)
    )


def test_parts_and_ranks_of_an_update_make_the_same_loss() -> None:
    rows = step(MIXED)
    own = advantages(rows).unbind()
    tokens = sum(sum(row.mask) for row in rows)
    parts = [slice(0, 3), slice(3, 7), slice(7, 12), slice(12, 16)]
    ranks = [verls(rows[part], nested(list(own[part])), tokens=tokens, of=16, ranks=2)[0] for part in parts]
    # Two ranks of two parts each: verl sums a rank's parts and takes the mean of the ranks.
    assert torch.allclose(sum(ranks) / 2, whole(rows), rtol=1e-5)


def test_the_updates_of_a_step_share_its_sft_term() -> None:
    rows = step(MIXED)
    own = advantages(rows).unbind()
    terms = [
        verls(rows[part], nested(list(own[part])), tokens=1, of=8)[1]["actor/sft"].values[0]
        for part in (slice(0, 8), slice(8, 16))
    ]
    size = {"trace": 8, "operator": 8}
    wanted = 0.0
    for mode in size:
        right = [row for row in rows if row.mode == mode and row.right]
        each = [float((row.new.detach() * torch.tensor(row.mask)).sum() / sum(row.mask)) for row in right]
        wanted += SHARES[mode] * ALPHA * sum(each) / len(each)
    assert sum(terms) / 2 == pytest.approx(wanted, rel=1e-5)


def test_rows_that_fill_a_batch_up_count_nothing() -> None:
    rows = step(MIXED)
    with_padding = advantages(rows, padding=2).unbind()
    assert not any(each.any() for each in with_padding[-2:])
    plain, _ = apart(nested(list(with_padding[:16])).to_padded_tensor(0.0), nested_mask(rows))
    assert torch.allclose(plain, apart(advantages(rows).to_padded_tensor(0.0), nested_mask(rows))[0])


def test_a_completion_of_one_token_keeps_its_advantage() -> None:
    rows = step([("operator", [True, False]), ("trace", [True, False])])
    for row in rows[0], rows[2]:
        row.mask, row.old, row.new = [1], row.old[:1], row.new[:1].detach().requires_grad_()
    plain, weights = apart(advantages(rows).to_padded_tensor(0.0), nested_mask(rows))
    # One right and one wrong rollout: their advantages are opposite, and the other row has room for its SFT weight.
    for one, other in ((0, 1), (2, 3)):
        counted = rows[other].mask.index(1)
        assert plain[one, 0] > 0 and torch.isclose(plain[one, 0], -plain[other, counted])
    assert weights[0] == weights[2] == 0


def test_other_rewards_are_refused() -> None:
    config = OmegaConf.create({"pdr": {"alpha": ALPHA, "shares": SHARES}})
    for rewards in ([[0.5, 0.0]], [[1.0, -0.1]], [[0.0, 0.0]]):
        with pytest.raises(InputError, match=r"\+1 or -1"):
            mode_advantages(torch.tensor(rewards), torch.ones(1, 2), ["u"], config)


def nested_mask(rows: list[Row]) -> Tensor:
    return nested([torch.tensor(row.mask) for row in rows]).to_padded_tensor(0)
