"""The updates of the reasoner's trainings."""

from __future__ import annotations

from typing import Any

import torch

from experiments.reasoner.model import Reasoner
from experiments.reasoner.muon import Muon

MUON_RATE, ADAM_RATE = 0.02, 0.003
MATRICES = {"qkv": 3, "gate_up": 2, "out": 1, "down": 1}
"""Hidden matrices, and how many stand in one tensor."""


class Optimiser:
    """Muon for the hidden matrices and AdamW for the rest."""

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
