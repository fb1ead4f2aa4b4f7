"""Experiment tracking: studies and trials as MLflow runs."""

from __future__ import annotations

from pdr_dspy.tracking.place import TrackingError
from pdr_dspy.tracking.tracker import Register, Status, Tracker, TrackingFailure

__all__ = ["Register", "Status", "Tracker", "TrackingError", "TrackingFailure"]
