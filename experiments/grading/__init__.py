"""Graders measured on (reference, answer, right?) pairs that were decided by hand; see docs/grading.md."""
