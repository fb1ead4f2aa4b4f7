"""A run of a workflow to be looked at: as data, in a terminal, in a notebook."""

from __future__ import annotations

from pdr_dspy.run_view.data import SCHEMA_VERSION, RunData

__all__ = ["SCHEMA_VERSION", "RunData"]
