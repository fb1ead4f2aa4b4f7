"""How a command was called. Light to import."""

from __future__ import annotations

import sys


def invoked(script: str = "") -> list[str]:
    """The words of this command without its options: `pdr search`, or a script's.

    Args:
        script: Its words where it was not called as `pdr ...`; "": `python` and the script's path.
    """
    name = sys.argv[0]
    if name.startswith("pdr "):
        return name.split()
    return script.split() or ["python", name]
