"""A picture of a terminal holds what was printed, and asks no other site for anything."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

from experiments.terminal import picture


def test_a_picture_of_a_terminal() -> None:
    drawn = picture("pdr search --budget tokens=16k", ["accuracy [95 %]  <b>", "x" * 300], width=60)
    ElementTree.fromstring(drawn)
    shown = html.unescape(re.sub(r"<[^>]+>", "", drawn)).replace("\xa0", " ")
    assert "$ pdr search --budget tokens=16k" in shown and "accuracy [95 %]  <b>" in shown
    assert "x" * 57 + "..." in shown and "x" * 58 not in shown
    assert "url(http" not in drawn and "@font-face" not in drawn  # a comment names what drew it
