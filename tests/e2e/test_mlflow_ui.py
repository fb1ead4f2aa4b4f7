"""MLflow's own UI on a search's runs: trials are seen, compared and drawn without unfolding anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from optimize.reporting.mlflow_ui import UI_COMMAND

from .conftest import STUDY, TRIALS, Searched
from .support import shows, text, until

# The browser first: without one there is no need to search.
pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("chromium")]

NAMES = [f"trial {i}" for i in range(TRIALS)]
FIGURES = ("pareto.html", "pareto.png", "parallel_coordinates.html", "importance.html", "heat_map.html", "report.html")


@pytest.fixture(scope="module")
def ui(chromium: tuple[str, str], searched: Searched, serve: Callable[..., Any]) -> Iterator[str]:
    """The UI, by the command that a search ends with."""
    with serve(f"{UI_COMMAND} --port {{port}}", searched.directory, "/health") as url:
        yield url


@pytest.fixture(scope="module")
def runs(ui: str) -> Any:
    """The study's runs: (experiment, the study's run, its trials' runs by name)."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=ui)
    experiment = client.get_experiment_by_name(STUDY)
    found = client.search_runs([experiment.experiment_id])
    trials = {run.info.run_name: run for run in found if run.data.tags["role"] == "trial"}
    (study,) = (run for run in found if run.data.tags["role"] == "study")
    return experiment.experiment_id, study, trials


def test_the_table_of_runs_shows_every_trial_and_the_charts_draw_them(ui: str, runs: Any, browser: Any) -> None:
    experiment, _, _ = runs
    browser.get(f"{ui}/#/experiments/{experiment}/runs")
    shows(browser, f"{TRIALS + 1} matching runs")
    wanted = {*NAMES, f"study {STUDY}"}
    until(lambda: wanted <= {link.text for link in browser.find_elements("css selector", "a")}, str(wanted), browser)

    browser.get("about:blank")
    browser.get(f"{ui}/#/experiments/{experiment}/runs?compareRunsMode=CHART")
    shows(browser, "accuracy")
    bars = ".js-plotly-plot .barlayer .trace.bars"
    chart = until(lambda: _charts(browser, bars), "a bar chart", browser)
    until(lambda: len(chart.find_elements("css selector", ".point")) >= TRIALS, "a bar for every trial", browser)


def _charts(browser: Any, selector: str) -> Any:
    return next(iter(browser.find_elements("css selector", selector)), None)


def _scrolled_to(browser: Any, line: str) -> bool:
    """Whether a line is in sight after another step down: of a long table only the rows in sight are there."""
    if line in text(browser).splitlines():
        return True
    browser.execute_script(
        "for (const e of document.querySelectorAll('*'))"
        " if (e.scrollHeight > e.clientHeight && getComputedStyle(e).overflowY !== 'visible') e.scrollTop += 60;"
    )
    return False


def test_the_compare_page_shows_the_trials_from_the_link_in_the_study(ui: str, runs: Any, browser: Any) -> None:
    experiment, study, trials = runs
    browser.set_window_size(2800, 1400)  # of a wide table only the columns in sight are there
    browser.get(f"{ui}/#/experiments/{experiment}/runs/{study.info.run_id}")
    shows(browser, "The winner is", "Its trials are runs beside this one")
    until(lambda: browser.find_element("link text", "compare all"), "the link", browser).click()
    handle = browser.window_handles[-1]  # a link of a description opens a window of its own
    browser.switch_to.window(handle)
    shows(browser, f"Comparing {TRIALS} Runs from 1 Experiment", *NAMES)
    assert "compare-runs?runs=" in browser.current_url

    rows = {line.split(" ")[0]: line.split(" ")[1:] for line in text(browser).splitlines()}
    order = re.findall(r"^trial \d+$", text(browser), re.MULTILINE)
    assert sorted(order) == sorted(NAMES)
    assert rows["topology"] == [trials[name].data.params["topology"] for name in order]
    assert rows["cap"] == [trials[name].data.params["cap"] for name in order]
    lines = text(browser).splitlines()
    shown = lines[lines.index("Metrics") :]
    assert "accuracy" in shown
    numbers = [float(line) for line in shown if re.fullmatch(r"[0-9.]+", line)]
    wanted = [round(trials[name].data.metrics["accuracy"], 3) for name in order]
    assert numbers[:TRIALS] == wanted, shown
    until(lambda: _scrolled_to(browser, "latency_p50"), "the latency, further down", browser)
    until(lambda: browser.find_elements("css selector", ".js-plotly-plot svg"), "the parallel coordinates", browser)


@pytest.mark.parametrize("name", ["pareto.html", "parallel_coordinates.html", "heat_map.html"])
def test_a_figure_is_drawn_among_the_artifacts_of_the_study(ui: str, runs: Any, browser: Any, name: str) -> None:
    experiment, study, _ = runs
    browser.get(f"{ui}/#/experiments/{experiment}/runs/{study.info.run_id}/artifacts/{name}")
    shows(browser, *FIGURES)
    frame = until(lambda: browser.find_element("css selector", "iframe"), "the artifact", browser)
    browser.switch_to.frame(frame)
    until(lambda: browser.find_elements("css selector", ".js-plotly-plot svg"), f"the drawing of {name}", browser)
    assert STUDY in text(browser)
