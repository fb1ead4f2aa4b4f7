"""`python -m pdr_dspy`: the command `pdr`."""

from __future__ import annotations

from pdr_dspy.command import main

if __name__ == "__main__":
    raise SystemExit(main())
