"""A study's name is a directory's below `runs/`, never a path out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from optimize.engine.read_study import read_page
from optimize.study.state import study_name
from pdr_dspy.errors import InputError


@pytest.mark.parametrize("name", ["../x", "..", ".", "/etc", "a/b", "a\\b", "", "x\n", "x\0", "n" * 201, "\x1b[2J"])
def test_a_path_is_no_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        study_name(name)
    assert "Give a name" in str(caught.value) and "\x1b" not in str(caught.value)
    with pytest.raises(InputError):
        read_page(name, tmp_path, None)


@pytest.mark.parametrize("name", ["s", "tokens-16k_worksheets_Qwen3-8B", "...", "..x", "mein Versuch", "\u5b9f\u9a13"])
def test_any_other_name_is_taken(name: str) -> None:
    assert study_name(name) == name
