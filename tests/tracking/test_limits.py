"""How long a value may be no server says: nothing is lost by it, and what can't be written costs itself alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.mlflow_server import FakeMLflow
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.tracking import Tracker
from pdr_dspy.tracking.text import KEY_LENGTH, clean, finite, name_of

Project = Callable[..., Path]


def opened(server: FakeMLflow, root: Path, monkeypatch: pytest.MonkeyPatch) -> Tracker:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    return Tracker.open(root, "s")


@pytest.mark.parametrize("length", [250, 500])
def test_a_server_that_takes_less_has_the_beginning_and_the_whole_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    text, short = "é" * 3000, {f"p{i}": i for i in range(40)}
    with FakeMLflow(param_length=length, tag_length=5000) as server:
        tracker = opened(server, tmp_path, monkeypatch)
        run = tracker.log_trial("s", 1, params={"prompt": text, **short}, metrics={"m": 1.0}, tags={"t": "x" * 4000})
        params = server.params(run)
        assert len(params) == 41 and len(params["prompt"]) == length
        assert params["prompt"].endswith("[cut, 3000 characters]")
        assert json.loads(server.artifacts[f"{run}/long_values.json"])["prompt"] == text
        assert "prompt" in server.tags(run)["long_values"] and not tracker.failures
        assert server.runs[run]["info"]["status"] == "FINISHED"
        before = len(server.requests)
        again = tracker.log_trial("s", 2, params={"prompt": text}, metrics={})
        batches = [one for one in server.requests[before:] if one.endswith("log-batch")]
        assert len(server.params(again)["prompt"]) == length
        assert len(batches) == 2  # it is known by now: the values, and where they are whole


def test_what_can_not_be_written_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeMLflow(key_pattern="[a-z0-9]+") as server:
        tracker = opened(server, tmp_path, monkeypatch)
        params = {**{f"p{i}": "x" * 700 for i in range(30)}, "odd name": 1}
        run = tracker.log_trial("s", 1, params=params, metrics={"m": 1.0}, artifacts={"a.txt": "a"})
        assert set(server.params(run)) == set(params) - {"odd name"}
        assert all(value == "x" * 700 for value in server.params(run).values())
        assert server.artifacts[f"{run}/a.txt"] == b"a" and server.runs[run]["info"]["status"] == "FINISHED"
        (failure,) = tracker.failures
        assert "odd name" in failure.action and "Invalid parameter name" in failure.detail


def test_a_batch_is_never_larger_than_a_server_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    with FakeMLflow() as server:
        known = server._runs_log_batch

        def weighed(asked: dict[str, Any]) -> Any:
            sizes.append(len(json.dumps(asked)))
            assert all(len(asked.get(kind, [])) <= 100 for kind in ("params", "tags", "metrics"))
            return known(asked)

        monkeypatch.setattr(server, "_runs_log_batch", weighed)
        tracker = opened(server, tmp_path, monkeypatch)
        params = {f"p{i}": "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 5000 for i in range(150)}
        run = tracker.log_trial("s", 1, params=params, metrics={f"m{i}": i for i in range(250)})
        assert server.params(run) == params and not tracker.failures
        assert max(sizes) < 1_000_000


def test_a_real_store_takes_every_name_and_every_text(project: Project) -> None:
    tracker = Tracker.open(project(), "s")
    names = ["/etc", "..", ".", "", "a//b", "a/./b", "../x", "a:b", "a_b", "a\tb", "x" * 400, "x" * 401, "größe"]
    texts = ["\0", "\ud800", "\x1b[2J", "x" * 9000]
    run = tracker.log_trial(
        "s",
        1,
        params={name: texts[i % 4] for i, name in enumerate(names)},
        metrics={**{name: float(i) for i, name in enumerate(names)}, "huge": 10**400},
        tags={name: texts[i % 4] for i, name in enumerate(names)},
        artifacts={"a.txt": "half \ud800"},
    )
    found = tracker._client.get_run(run)
    assert not tracker.failures and len(found.data.params) == len(names)
    assert sorted(found.data.metrics.values()) == [float(i) for i in range(len(names))]
    assert found.data.tags["not_finite"] == "huge" and "long_values" in found.data.tags


def test_failures_do_not_pass_unseen_where_writing_is_said_to_be_asynchronous(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    with FakeMLflow(key_pattern="none") as server:
        tracker = opened(server, tmp_path, monkeypatch)
        tracker.log_trial("s", 1, params={"a": 1}, metrics={})
        assert [failure.action.split(" to ")[0] for failure in tracker.failures] == ["log param a"]


NAMES = st.one_of(st.text(), st.text("./:a ", max_size=8), st.integers(240, 260).map(lambda length: "x" * length))


@given(st.dictionaries(NAMES, st.integers(), max_size=8))
def test_each_value_has_a_name_of_its_own_that_is_no_other_path(values: dict[str, int]) -> None:
    from mlflow.utils.validation import _validate_metric_name

    written = clean(values)
    numbers, odd = finite(dict(values))
    assert len(written) == len(numbers) == len(values) and odd == []
    for name in (*written, *numbers):
        _validate_metric_name(name)
        assert 0 < len(name) <= KEY_LENGTH and name_of(name) == name
