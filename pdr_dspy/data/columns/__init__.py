"""Columns of a table: where they are, what their cells mean, and the problems that come of them."""

from __future__ import annotations

from pdr_dspy.data.columns.columns import Columns
from pdr_dspy.data.columns.table import Table, read_table

__all__ = ["Columns", "Table", "read_table"]
