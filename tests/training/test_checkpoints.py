"""A trained model's folder: transformers and the embedded server load the same numbers from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: E402

from experiments.reasoner.agree import compare  # noqa: E402
from experiments.training.checkpoints import save_model  # noqa: E402
from pdr_dspy.embedded.model import read_model  # noqa: E402
from pdr_dspy.errors import EndpointError  # noqa: E402

SHIPPED = Path(__file__).parents[2] / "pdr_dspy" / "embedded" / "weights"


def trained(noise: float = 0.02) -> LlamaForCausalLM:
    """The shipped model, every number of it changed."""
    model = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + noise * torch.randn(parameter.shape, generator=generator))
    return model


def test_the_network_gets_the_new_numbers_and_decodes_as_transformers_does(tmp_path: Path) -> None:
    target = tmp_path / "final"
    model = trained()
    save_model(model, AutoTokenizer.from_pretrained(SHIPPED), SHIPPED, target)
    kept = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32).state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(kept[name], value.half().float())  # rounded once
    assert "agree on 4 prompts" in compare(target, prompts=4)
    files = read_model(target)
    assert files.card == read_model(SHIPPED).card
    assert files.revision != read_model(SHIPPED).revision


def test_a_model_of_another_shape_is_refused(tmp_path: Path) -> None:
    model = trained()
    model.resize_token_embeddings(950)
    with pytest.raises(EndpointError) as told:
        save_model(model, AutoTokenizer.from_pretrained(SHIPPED), SHIPPED, tmp_path / "wide")
    assert "experiments.reasoner.export" in told.value.mend
    assert not any(tmp_path.iterdir())  # nothing half-written


def test_what_was_there_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "final"
    target.mkdir()
    (target / "left.over").touch()
    save_model(trained(), AutoTokenizer.from_pretrained(SHIPPED), SHIPPED, target)
    assert not (target / "left.over").exists()
    assert (target / "chat_template.jinja").read_bytes() == (SHIPPED / "chat_template.jinja").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["final"]
    shutil.rmtree(target)
