"""The real model computes in what the processor is fast in."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.real.serve import precision


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2 avx512f avx512_bf16 fma", "bfloat16"), ("fpu amx_bf16", "bfloat16"), ("fpu avx2 fma", "float32")],
)
def test_bfloat16_where_the_processor_has_it(flags: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n", encoding="utf-8")
    assert precision(tmp_path / "cpuinfo") == expected


def test_float32_where_nothing_is_said(tmp_path: Path) -> None:
    assert precision(tmp_path / "none") == "float32"
