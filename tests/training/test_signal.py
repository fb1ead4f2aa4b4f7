"""Signal to noise of a gradient's parts, against parts whose signal and noise are known."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from experiments.training.signal import Signal, estimated, pairwise  # noqa: E402


def parts(count: int, size: int, signal: float, seed: int = 0):  # type: ignore[no-untyped-def]
    """Noise of square 1 a part, and a common part of this square."""
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(size, generator=generator)
    noise = torch.randn(count, size, generator=generator) / size**0.5
    return noise + common / common.norm() * signal**0.5


def test_parts_that_are_all_alike_are_all_signal() -> None:
    value, error = estimated(torch.ones(5, 7))
    assert value == pytest.approx(1)
    assert error == pytest.approx(0, abs=1e-6)


def test_two_parts_in_closed_form() -> None:
    # (1, 0) and (1, 2): product 1, mean square (1 + 5) / 2
    assert pairwise((1 + 1) ** 2 + 2**2, [1, 5]) == pytest.approx(1 / 3)


def test_a_known_ratio_is_found_within_its_error() -> None:
    value, error = estimated(parts(60, 4000, signal=0.25))
    assert abs(value - 0.25 / 1.25) < 4 * error
    assert 0 < error < 0.05


def test_no_signal_is_not_found() -> None:
    value, error = estimated(parts(60, 4000, signal=0.0))
    assert abs(value) < 4 * error + 1e-3


def test_fewer_than_two_parts_say_nothing() -> None:
    assert pairwise(4.0, [4.0]) is None
    assert pairwise(0.0, [0.0, 0.0]) is None


def test_micro_batches_that_are_summed_up_give_the_same_as_apart() -> None:
    each = parts(6, 50, signal=0.5)
    parameter = torch.nn.Parameter(torch.zeros(50))
    following = Signal()
    for row in each:
        parameter.grad = row.clone() if parameter.grad is None else parameter.grad + row
        following.add([parameter])
    expected, _ = estimated(each)
    assert following.taken() == pytest.approx(expected, rel=1e-4)
    assert following.taken() is None  # the next update starts from nothing
