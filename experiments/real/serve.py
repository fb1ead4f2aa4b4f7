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

_FLAGS = ("--max-model-len=4096",)
_BF16 = frozenset({"avx512_bf16", "amx_bf16"})
_CPU = Path("/proc/cpuinfo")


def precision(cpu: Path = _CPU) -> str:
    """What it computes in: bfloat16 is three times as fast as float32 where the processor has it, and slow on others.

    Args:
        cpu: What Linux says of the processors. Where it says nothing: float32.
    """
    try:
        said = cpu.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "float32"
    return "bfloat16" if _BF16 & set(said.split()) else "float32"


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
        flags=(f"--dtype={precision()}", *_FLAGS, *flags),
    )
