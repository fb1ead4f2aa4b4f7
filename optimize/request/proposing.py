"""`--propose` and `--proposer`: how many instructions are wanted, and who writes them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pdr_dspy.errors import InputError

MOST = 16
"""Proposals for a stage at most: each is a choice that the search must try."""


@dataclass(frozen=True)
class ProposalRequest:
    """What was asked for.

    Attributes:
        count: New instructions for each stage.
        url: Another proposer's address; None: the searched model itself.
        model: Its model; None: the only one served there.
    """

    count: int
    url: str | None = None
    model: str | None = None


def proposal_request(count: int, proposer: str | None, *, served: bool) -> ProposalRequest | None:
    """What `--propose count --proposer URL#MODEL` asks for; None for no proposals.

    Args:
        count: Instructions a stage.
        proposer: Who writes them; None: the searched model.
        served: Whether the searched model is one on a server (and not the embedded reasoner).

    Raises:
        InputError: a number out of range, a proposer for nothing, or one that can't write instructions.
    """
    if not 0 <= count <= MOST:
        raise InputError("--propose", f"{count} instructions a stage", f"Give a number from 0 to {MOST}")
    if not count:
        if proposer:
            raise InputError("--proposer", "there is nothing for it to propose", "Give --propose N, such as 4")
        return None
    if proposer is None:
        if not served:
            raise InputError(
                "--propose",
                "the embedded reasoner writes worksheets, not instructions",
                "Name a model that can with --proposer URL#MODEL, or leave --propose out",
            )
        return ProposalRequest(count)
    url, _, model = proposer.partition("#")
    if not url.strip():
        raise InputError("--proposer", "it has no address", "Write it like http://host:8000/v1#Qwen/Qwen3-32B")
    return ProposalRequest(count, url.strip(), model.strip() or None)
