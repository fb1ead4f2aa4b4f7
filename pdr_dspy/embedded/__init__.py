"""The reasoner that comes with the library, served on the CPU behind an OpenAI-compatible endpoint.

A real language model (small, trained for this library) on OpenVINO GenAI's continuous batching engine, behind an HTTP
server that answers as vLLM does. `start()` runs it beside a program; `python -m pdr_dspy.embedded` from a terminal.
`vllm_server.start_vllm()` and `--engine vllm` serve the same checkpoint through an installed vLLM.
"""

from __future__ import annotations

from .launch import start
from .process import EmbeddedReasoner

__all__ = ["EmbeddedReasoner", "start"]
