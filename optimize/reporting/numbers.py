"""Numbers as tables and lines show them. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def amount(tokens: float) -> str:
    """A number of tokens in at most five characters: `873`, `12.4k`, `1.32m`."""
    if tokens < 9_999.5:
        return f"{tokens:.0f}"
    if tokens < 999_950:
        return f"{tokens / 1e3:.1f}k"
    return f"{tokens / 1e6:.2f}m"


def share(part: float) -> str:
    """A share (0 to 1) in whole percent, none that is there as 0: `12 %`, `<1 %`."""
    return "<1 %" if 0 < part < 0.01 else f"{100 * part:.0f} %"


def counts(kinds: Mapping[str, int]) -> str:
    """`truncated 12, timeout 1`: the most frequent first."""
    return ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items(), key=lambda item: (-item[1], item[0])) if n)
