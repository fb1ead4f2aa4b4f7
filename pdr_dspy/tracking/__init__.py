"""Experiment tracking: studies and trials as MLflow runs."""

from __future__ import annotations

from pdr_dspy.tracking.attempts import TrackingFailure
from pdr_dspy.tracking.place import TrackingError
from pdr_dspy.tracking.study_runs import Register
from pdr_dspy.tracking.tracker import Tracker
from pdr_dspy.tracking.trial_runs import Status

__all__ = ["Register", "Status", "Tracker", "TrackingError", "TrackingFailure"]
