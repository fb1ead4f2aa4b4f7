"""How people get to see the runs."""

from __future__ import annotations

UI_COMMAND = "LITELLM_LOCAL_MODEL_COST_MAP=True mlflow ui"
"""How to open the MLflow UI (without the variable it waits for a network that may not be there)."""
