"""optuna-dashboard on a search's journal: it opens the study, with names, choices and trials (extra `dashboard`)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import optuna
import pytest

from optimize.study.storages import open_storage

from .conftest import STUDY, TRIALS, Searched, here, missing
from .support import severe, shows, until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("installed")]


@pytest.fixture(scope="session")
def installed() -> None:
    """The dashboard's command."""
    if shutil.which("optuna-dashboard", path=here()["PATH"]) is None:
        missing("optuna-dashboard is not installed (pip install -e '.[dashboard]')")


@pytest.fixture(scope="module", params=["journal", "sqlite"])
def dashboard(
    request: pytest.FixtureRequest, installed: None, searched: Searched, serve: Callable[..., Any]
) -> Iterator[str]:
    storage = str(searched.state / "journal.log")
    if request.param == "sqlite":
        journal, storage = open_storage(storage, searched.state), f"sqlite:///{searched.directory / 'study.db'}"
        optuna.copy_study(from_study_name=STUDY, from_storage=journal, to_storage=storage)
    with serve(f"optuna-dashboard {storage} --port {{port}}", searched.directory, "/api/studies") as url:
        yield url


def test_the_study_is_served_with_names_and_choices(dashboard: str) -> None:
    (summary,) = httpx.get(f"{dashboard}/api/studies").json()["study_summaries"]
    assert summary["study_name"] == STUDY and summary["directions"] == ["maximize", "minimize"]
    study = httpx.get(f"{dashboard}/api/studies/{summary['study_id']}", timeout=30)
    found = study.json()
    assert found["objective_names"] == ["accuracy", "latency"]
    complete = [t for t in found["trials"] if t["state"] == "Complete"]
    assert len(complete) >= TRIALS and len(study.content) < 20_000 * len(complete)
    for trial in complete:
        params = {p["name"]: p["param_external_value"] for p in trial["params"]}
        assert {"topology", "cap", "temperature"} <= set(params) and all(params.values())
        assert {"metrics", "workflow"} <= {attr["key"] for attr in trial["user_attrs"]}


def test_its_page_shows_the_study(dashboard: str, browser: Any) -> None:
    browser.get(f"{dashboard}/dashboard")
    shows(browser, STUDY)
    identity = httpx.get(f"{dashboard}/api/studies").json()["study_summaries"][0]["study_id"]
    browser.get(f"{dashboard}/dashboard/studies/{identity}")
    shows(browser, "Pareto Front", "accuracy", "latency")
    until(lambda: browser.find_elements("css selector", ".js-plotly-plot svg"), "a plot", browser)
    assert not severe(browser)
