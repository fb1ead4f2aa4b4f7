"""The reasoner that comes with the library, served on the CPU behind an OpenAI-compatible endpoint.

A real language model (small, trained for this library) on OpenVINO GenAI's continuous batching engine, behind an HTTP
server that answers as vLLM does. `start()` runs it beside a program; `python -m pdr_dspy.embedded` from a terminal.
"""

from __future__ import annotations

from .launch import EmbeddedReasoner, start

__all__ = ["EmbeddedReasoner", "start"]
