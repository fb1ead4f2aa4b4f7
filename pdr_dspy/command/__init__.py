"""The command `pdr`: `dispatch` knows the subcommands, `ask` is the one that lives here. Light to import."""

from __future__ import annotations

from pdr_dspy.command.dispatch import main

__all__ = ["main"]
