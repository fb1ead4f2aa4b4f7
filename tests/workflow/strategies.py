"""Hypothesis strategies: workflows that the grammar allows, built so that every rule holds."""

from __future__ import annotations

from typing import Literal

from hypothesis import strategies as st

from pdr_dspy.workflow import (
    Analysis,
    Answers,
    Distill,
    Instruction,
    Pick,
    Previous,
    Prompts,
    Random,
    Round,
    Sampling,
    Summary,
    Top,
    Workflow,
)

THINKING: st.SearchStrategy[Literal["off"] | int | None] = st.none() | st.just("off") | st.integers(0, 5000)
"""How much a helper may think."""


def distillers(width: int, sure: int) -> st.SearchStrategy[Distill]:
    """Distillers that can work on `width` drafts of which `sure` are waited for."""
    ks = st.integers(1, sure)
    kinds: list[st.SearchStrategy[Distill]] = [
        st.builds(Summary, thinking=THINKING, tokens=st.integers(1, 3000)),
        st.builds(Top, thinking=THINKING, k=ks, shared=st.booleans(), tokens=st.integers(32 * sure, 9000)),
        st.builds(Random, k=ks, tokens=st.integers(32 * sure, 9000)),
        st.builds(Answers, tokens=st.integers(8 * width, 3000)),
    ]
    if width == 1:
        kinds += [
            st.builds(Previous, tokens=st.integers(1, 3000)),
            st.builds(Analysis, thinking=THINKING, tokens=st.integers(64, 3000)),
        ]
    return st.one_of(kinds)


@st.composite
def rounds(draw: st.DrawFn, *, last: bool = False, width: int | None = None, widest: int = 32) -> Round:
    """One round; with a distiller unless it is the last."""
    width = width or draw(st.integers(1, widest))
    quorum = draw(st.none() | st.integers(1, width))
    return Round(
        width=width,
        quorum=quorum,
        thinking=draw(st.none() | st.integers(0, 20_000)),
        answer=draw(st.none() | st.integers(8, 4000)),
        models=draw(
            st.none()
            | st.lists(
                st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8),
                min_size=1,
                max_size=width,
            ).map(tuple)
        ),
        distill=None if last else draw(distillers(width, quorum or width)),
    )


@st.composite
def workflows(draw: st.DrawFn, widest: int = 32) -> Workflow:
    """Any workflow of up to five rounds."""
    close = draw(st.sampled_from(["single", "vote", "pick"]) | st.builds(Pick, kind=st.just("pick"), thinking=THINKING))
    width = 1 if close == "single" else draw(st.integers(2, min(widest, 16)))
    return Workflow(
        name=draw(st.from_regex(r"\A[.]?[A-Za-z0-9_\-][A-Za-z0-9_.\-]{0,10}\Z")),
        rounds=(*draw(st.lists(rounds(widest=widest), max_size=4)), draw(rounds(last=True, width=width))),
        close=close,
        share=draw(st.floats(0, 1, exclude_min=True, allow_subnormal=False).filter(lambda s: s >= 1e-3)),
        prompts=draw(st.builds(Prompts, draft=st.sampled_from(["default", "brief", Instruction(text="a\nb")]))),
        fallback=draw(st.sampled_from(["on", "off"])),
        sampling=draw(
            st.builds(Sampling, temperature=st.none() | st.floats(0, 2), top_p=st.none() | st.floats(0.01, 1))
        ),
    )
