"""The real model behind a real vLLM."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.real.checkpoint import made, place
from pdr_dspy.embedded import EmbeddedReasoner
from pdr_dspy.embedded.vllm_server import start_vllm
from pdr_dspy.errors import EndpointError

NAME = "smollm2-135m-instruct"
"""Name it is served under."""

_FLAGS = (
    # Three times as fast as float32 where the processor computes in it (avx512_bf16), slow on others.
    "--dtype=bfloat16",
    "--max-model-len=4096",
)


def serve(*, python: Path | None = None, log_path: Path | None = None, flags: Sequence[str] = ()) -> EmbeddedReasoner:
    """Serve it, without a reasoning parser; takes half a minute or more.

    Args:
        python: Python of the environment that has vLLM; None as in `find_vllm`.
        log_path: Where vLLM's output goes; None is a temporary file.
        flags: Further flags of `vllm serve`; they win.

    Raises:
        EndpointError: There is no checkpoint, or vLLM did not start.
    """
    weights = place()
    if not made(weights):
        raise EndpointError("real-model", f"there is no checkpoint at {weights}", "Make it: `make real-model`")
    return start_vllm(
        python=python,
        weights=weights,
        served_model_name=NAME,
        log_path=log_path,
        reasoning_parser="none",
        flags=(*_FLAGS, *flags),
    )
