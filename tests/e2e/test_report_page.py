"""`report.html` in a browser that has no network: every figure is drawn, nothing is cut off."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import TRIALS, Searched
from .support import severe, shows, until

# The browser first: without one there is no need to search.
pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("chromium")]


def test_the_page_is_drawn_without_a_network(searched: Searched, browser: Any) -> None:
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0},
    )
    browser.get((searched.state / "report.html").as_uri())
    shows(browser, "On problems the search never saw", "What was tried", "Not told:", "All trials")
    until(lambda: browser.execute_script("return document.documentElement.dataset.drawn"), "every figure", browser)
    figures = browser.find_elements("css selector", ".figure")
    assert len(figures) == 3 and all(f.find_elements("css selector", "svg.main-svg") for f in figures)
    assert not severe(browser)
    labels = [e.text for e in browser.find_elements("css selector", ".figure .ytick text")]
    assert {"long_cot", "sr", "majority"} <= set(labels)  # rows of the heat map
    wide = browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert wide and len(browser.find_elements("css selector", "table:last-of-type tr")) > TRIALS
