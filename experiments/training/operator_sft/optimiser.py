"""The updates of operator SFT: the first training's optimisers, and the running mean of the weights."""

from __future__ import annotations

import copy
from typing import Any

import torch

from experiments.reasoner.model import Reasoner
from experiments.reasoner.muon import Muon
from experiments.reasoner.train import ADAM_RATE, MUON_RATE

MATRICES = {"qkv": 3, "gate_up": 2, "out": 1, "down": 1}


class Optimiser:
    """Muon for the hidden matrices and AdamW for the rest, as in the training from nothing."""

    def __init__(self, model: Reasoner) -> None:
        named = [(name.rsplit(".", 1)[-1], parameter) for name, parameter in model.named_parameters()]
        self.muon = Muon([(parameter, MATRICES[name]) for name, parameter in named if name in MATRICES])
        others = [parameter for name, parameter in named if name not in MATRICES]
        self.adam = torch.optim.AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0)

    def step(self, factor: float) -> None:
        """One update from the gradients, at `factor` of the original rates."""
        self.muon.step(MUON_RATE * factor)
        for group in self.adam.param_groups:
            group["lr"] = ADAM_RATE * factor
        self.adam.step()

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"muon": self.muon.buffers, "adam": self.adam.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.muon.buffers = state["muon"]
        self.adam.load_state_dict(state["adam"])


class Average:
    """The running mean of a model's weights: what samples, and what a turn leaves.

    While the rates are high the weights of the moment are noisy: their drafts solved 4 points of lines less.

    Args:
        model: Where it begins.
        keep: Share of the mean that an update leaves.
    """

    def __init__(self, model: Reasoner, keep: float) -> None:
        self.model = copy.deepcopy(model)
        self.keep = keep

    @torch.no_grad()
    def step(self, model: Reasoner) -> None:
        """Takes one more update's weights in."""
        for mean, parameter in zip(self.model.parameters(), model.parameters(), strict=True):
            mean.lerp_(parameter, 1 - self.keep)
