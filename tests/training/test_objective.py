"""Every term of the objective against its closed form."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from experiments.training.objective import advantages, cispo, live, mode_weights, sft  # noqa: E402


def test_rewards_are_normalised_in_their_group_and_one_without_variance_has_none() -> None:
    rewards = torch.tensor([1.0, 1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0])
    found = advantages(rewards, 4)
    one = 1 / (math.sqrt(4 / 3) + 1e-4)  # the deviation over n - 1
    assert found.tolist() == pytest.approx([one, one, -one, -one, 0, 0, 0, 0])
    assert live(rewards, 4).tolist() == [True, False]


def test_the_ratio_is_clipped_and_has_no_gradient() -> None:
    log_probs = torch.tensor([[math.log(0.9), math.log(0.5)]], requires_grad=True)
    old = torch.tensor([[math.log(0.1), math.log(0.4)]])  # ratios 9 and 1.25
    mask = torch.ones(1, 2)
    value = cispo(log_probs, old, torch.tensor([2.0]), mask, ceiling=5.0)
    assert value.item() == pytest.approx((5 * 2 * math.log(0.9) + 1.25 * 2 * math.log(0.5)) / 2)
    value.backward()
    assert log_probs.grad is not None
    assert log_probs.grad.tolist()[0] == pytest.approx([5 * 2 / 2, 1.25 * 2 / 2])  # of log pi alone, clipped or not


def test_forced_tokens_and_padding_do_not_count() -> None:
    log_probs = torch.tensor([[-1.0, -2.0, -3.0], [-4.0, -5.0, -6.0]], requires_grad=True)
    mask = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    value = cispo(log_probs, log_probs.detach(), torch.tensor([1.0, -1.0]), mask, ceiling=5.0)
    assert value.item() == pytest.approx((-1 - 3 + 4) / 3)
    value.backward()
    assert log_probs.grad is not None and log_probs.grad[mask == 0].tolist() == [0.0] * 3


def test_the_sft_term_is_normalised_by_length_and_takes_right_rows_of_all_groups() -> None:
    log_probs = torch.tensor([[-1.0, -3.0], [-8.0, -8.0], [-2.0, -9.0]])
    mask = torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    assert sft(log_probs, torch.tensor([True, False, True]), mask).item() == pytest.approx((-2 - 2) / 2)
    assert sft(log_probs, torch.tensor([False] * 3), mask).item() == 0


def test_modes_count_their_shares_however_many_tokens_they_have() -> None:
    modes, tokens = ["trace", "trace", "operator"], [30, 10, 20]
    weights = mode_weights(modes, tokens, {"trace": 0.5, "operator": 0.5})
    values = [1.0, 2.0, 5.0]  # of each token
    mean = sum(w * v * n for w, v, n in zip(weights, values, tokens, strict=True)) / sum(tokens)
    assert mean == pytest.approx(((30 * 1 + 10 * 2) / 40 + 5) / 2)
    assert mode_weights(["trace"], [7], {"trace": 0.5, "operator": 0.5}) == [1.0]
