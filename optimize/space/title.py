"""A point of the space as people read it. Pure."""

from __future__ import annotations

from optimize.space.choices import USUAL_PROMPTS
from optimize.space.shapes import WHOLE
from optimize.space.space import Candidate
from pdr_dspy.workflow import sampled


def title(candidate: Candidate, baseline: str | None = None) -> str:
    """A candidate in a line: `8-1 summary, kappa 48, cap 256, T 0.8, prompts draft=brief`."""
    params, workflow = candidate.params, candidate.workflow
    distiller = params.get("distiller", params.get("chain_distiller"))
    kappa = next((r.distill.tokens for r in workflow.rounds if r.distill), None)
    k = next((r.distill.k for r in workflow.rounds if r.distill and r.distill.kind in ("top", "random")), None)
    first = workflow.rounds[0]
    cap = WHOLE if first.thinking is None or first.answer is None else first.thinking + first.answer
    prompts = [f"{stage}={i}" for stage, i in workflow.prompts.ids.items() if i not in USUAL_PROMPTS]
    parts = [
        f"{params['topology']}{f' {distiller}' if distiller else ''}",
        f"k {k}" if k is not None else "",
        f"kappa {kappa}" if kappa is not None else "",
        f"cap {cap_text(cap)}",
        sampled(workflow.sampling),
        candidate.unusual,
        f"prompts {' '.join(prompts)}" if prompts else "",
    ]
    text = ", ".join(part for part in parts if part)
    return f"{baseline}: {text}" if baseline else text


def cap_text(cap: int) -> str:
    """What a draft may generate, as people write it: `256`, `all`."""
    return "all" if cap == WHOLE else str(cap)
