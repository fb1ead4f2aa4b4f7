"""Experiment tracking: studies and trials as MLflow runs."""

from __future__ import annotations

from pdr_dspy.tracking.tracker import Status, Tracker, TrackingError, TrackingFailure

__all__ = ["Status", "Tracker", "TrackingError", "TrackingFailure"]
