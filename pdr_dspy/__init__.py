"""Parallel-Distill-Refine (arXiv 2510.01123) and its relatives as DSPy modules, with exact accounting."""

from __future__ import annotations

import os

# LiteLLM fetches a price list over the network when it is imported, and waits seconds for it where there is none.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

__version__ = "0.1.0"
