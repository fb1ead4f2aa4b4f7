"""The whole recipe in small: first training, operator SFT twice, what the library ships; a kill costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.numpy import load_file

from experiments.reasoner import build
from experiments.reasoner.network import SHIPPED, WEIGHTS
from experiments.training.config import CONFIGS
from experiments.training.operator_sft import mixture, train
from experiments.training.operator_sft.begun import Begun
from pdr_dspy.embedded.model import read_model


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operator SFT of one turn and 2,000 tokens, of the control's kind: untrained weights draft nothing readable."""
    said = yaml.safe_load((CONFIGS / "embedded.yaml").read_text(encoding="utf-8"))
    said["operator_sft"] |= {"turns": 1, "tokens": 2000, "operator": 0.0}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(said), encoding="utf-8")
    monkeypatch.setattr(build, "CONFIG", str(tmp_path / "small.yaml"))
    monkeypatch.setattr(mixture, "CHUNK_TOKENS", 2000)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)


def made(folder: Path) -> dict[str, bytes]:
    """The bytes of every model that a build has made."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob(WEIGHTS))}


def test_one_command_makes_what_the_library_ships_and_goes_on_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, target = tmp_path / "runs", tmp_path / "weights"
    told: dict[str, Any] = {"minutes": 0.02, "seed": 3, "processes": 1, "operator": 2}
    teach = train.teach
    seeds = []

    def killed(begun: Begun, processes: int = 1) -> bool:
        seeds.append(begun.seed)
        if len(seeds) == 2:
            raise KeyboardInterrupt
        return teach(begun, processes)

    monkeypatch.setattr(train, "teach", killed)
    with pytest.raises(KeyboardInterrupt):
        build.build(folder, target, **told)
    before = made(folder)
    assert {"model/" + WEIGHTS, "operator-1/final/" + WEIGHTS} <= before.keys()
    assert not target.exists()  # nothing is put there before the end

    (target).mkdir()
    (target / "README.md").write_text("the model card", encoding="utf-8")
    build.build(folder, target, **told)
    assert seeds == [3, 4, 3, 4]
    after = made(folder)
    assert before.items() <= after.items()  # what was done was not done again
    assert (
        len(
            {after[name] for name in ("model/" + WEIGHTS, "operator-1/final/" + WEIGHTS, "operator-2/final/" + WEIGHTS)}
        )
        == 3
    )
    assert (target / WEIGHTS).read_bytes() == after["operator-2/final/" + WEIGHTS]
    assert (target / "README.md").read_text(encoding="utf-8") == "the model card"
    files = read_model(target)
    assert files.card == read_model(SHIPPED).card
    shapes = {name: value.shape for name, value in load_file(SHIPPED / WEIGHTS).items()}
    assert {name: value.shape for name, value in load_file(target / WEIGHTS).items()} == shapes


def test_another_seed_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    told: dict[str, Any] = {"minutes": 0.02, "processes": 1, "operator": 1}
    build.build(folder, tmp_path / "weights", seed=0, **told)
    with pytest.raises(build.InputError) as refused:
        build.build(folder, tmp_path / "weights", seed=1, **told)
    assert "seed" in str(refused.value)
