"""Hugging Face's names and files, to the reasoner and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from experiments.reasoner.model import Reasoner, Shape, to_hf  # noqa: E402
from experiments.training.policy.weights import from_hf, load_hf, shape_of  # noqa: E402

SHAPE = Shape(50, width=32, layers=2, heads=2, hidden=48, context=64)


def test_names_and_back() -> None:
    model = Reasoner(SHAPE)
    weights = to_hf(model)
    again = from_hf({**weights, "lm_head.weight": weights["model.embed_tokens.weight"].clone()}, SHAPE)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), again.parameters(), strict=True))


def test_configuration_states_the_shape() -> None:
    assert shape_of(SHAPE.hf_config(0, 4)) == SHAPE


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"num_key_value_heads": 1}, "num_key_value_heads"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings"),
        ({"model_type": "qwen3"}, "model_type"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_type"),
    ],
)
def test_another_architecture_is_named(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        shape_of({**SHAPE.hf_config(0, 4), **change})


def test_unusable_weights_are_named_and_change_nothing() -> None:
    model = Reasoner(SHAPE)
    before = to_hf(model)
    other = to_hf(Reasoner(SHAPE))
    lacking = {name: weight for name, weight in other.items() if "layers.1.mlp.up_proj" not in name}
    for weights, named in (
        (lacking, "layers.1.mlp.up_proj"),
        ({**other, "model.layers.0.self_attn.q_proj.bias": torch.zeros(32)}, r"q_proj\.bias"),
        ({**other, "model.norm.weight": torch.zeros(31)}, r"norm\.weight"),
        ({**other, "lm_head.weight": torch.zeros(50, 32)}, r"lm_head\.weight"),
    ):
        with pytest.raises(ValueError, match=named):
            load_hf(model, weights)
    after = to_hf(model)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_agrees_with_transformers(reasoner: Reasoner, weights: Path, prompts: list[list[int]]) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32).eval()
    assert json.loads((weights / "config.json").read_text())["vocab_size"] == reasoner.shape.vocabulary
    with torch.no_grad():
        ids = torch.tensor([prompts[-1]])
        expected, found = theirs(ids).logits, reasoner.logits(reasoner.hidden_states(ids)[0])
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)
