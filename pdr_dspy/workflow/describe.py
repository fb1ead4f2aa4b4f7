"""A workflow in a few characters, for tables. Pure; loses prompts and caps."""

from __future__ import annotations

from itertools import groupby

from pdr_dspy.workflow.schema import Distill, Random, Round, Sampling, Top, Workflow

_LONG = 4
"""More equal rounds than this in a row are written `16x10`."""


def topology(workflow: Workflow) -> str:
    """A short label such as `16-8-4-1 summary@1024`: widths, distillers with their kappa in tokens, how it closes.

    A round's quorum is `6of8`; `top2each` picks for each next draft apart; distillers that differ are listed in the
    order of their rounds, equal neighbours once.
    """
    parts = ["-".join(_run(label, len(list(same))) for label, same in groupby(map(_width, workflow.rounds)))]
    distillers = [_distill(r.distill) for r in workflow.rounds if r.distill is not None]
    if distillers:
        parts.append("+".join(label for label, _ in groupby(distillers)))
    if workflow.closing != "single":
        parts.append(workflow.closing)
    return " ".join(parts)


def sampled(sampling: Sampling) -> str:
    """A short label such as `T 0.6` or `T 0.6, top-p 0.95`; `T default` where the LM or the server decides."""
    parts = ["T default" if sampling.temperature is None else f"T {sampling.temperature:g}"]
    if sampling.top_p is not None:
        parts.append(f"top-p {sampling.top_p:g}")
    return ", ".join(parts)


def _width(r: Round) -> str:
    return str(r.width) if r.quorum is None or r.quorum == r.width else f"{r.quorum}of{r.width}"


def _run(label: str, times: int) -> str:
    return f"{label}x{times}" if times > _LONG else "-".join([label] * times)


def _distill(distill: Distill) -> str:
    match distill:
        case Top(k=k, shared=shared):
            kind = f"top{k}" if shared else f"top{k}each"
        case Random(k=k):
            kind = f"random{k}"
        case _:
            kind = distill.kind
    return f"{kind}@{distill.tokens}"
