"""What a user gets wrong is one clear line that names the field and the mend, before anything is spent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fakes.vllm import HTML, FakeVLLM
from search_support import Command

SECRET = "sk-very-secret-and-expired"


def refused(command: Command, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert command(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    lines = err.splitlines()
    assert lines[-1].startswith("error: ")
    return lines[-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--budget", "tokens=16q"], ["budget.tokens", "16q"]),
        (["--budget", "token=16k"], ["budget.token", "no such key"]),
        (["--budget", "tokens=9"], ["budget.tokens", "smallest that fits is tokens="]),
        (["--budget", "seconds=30"], ["budget.tokens", "tokens=16k"]),
        (["--budget", "tokens=16k", "--trials", "0"], ["--trials"]),
        (["--budget", "tokens=16k", "--samples", "-1"], ["--samples"]),
        (["--budget", "tokens=16k", "--timeout", "soon"], ["--timeout", "10m"]),
        (["--budget", "tokens=16k", "--format", "yaml"], ["--format", "yaml", "plain, markers, json, xml"]),
        (["--budget", "tokens=16k", "--format", "plain,,json"], ["--format", "plain, markers, json, xml"]),
        (["--budget", "tokens=16k", "--topologies", "8-0-1"], ["topologies", "width 0"]),
        (["--budget", "tokens=16k", "--topologies", "8-4"], ["topologies", "-vote"]),
        (["--budget", "tokens=16k", "--data", "nowhere.jsonl"], ["nowhere.jsonl"]),
        (["--budget", "tokens=16k", "--data", "aime99"], ["aime99"]),
        (["--budget", "tokens=16k", "--data", "data.jsonl", "--inputs", "question"], ["question"]),
        (["--budget", "tokens=16k", "--data", "data.jsonl", "--answer", "label"], ["label"]),
        (["--budget", "tokens=16k", "--data", "bad.jsonl"], ["bad.jsonl", "2"]),
        (["--budget", "tokens=16k", "--data", "data.jsonl", "--options", "choices"], ["choices", "problem, answer"]),
        (["--budget", "tokens=16k", "--data", "data.jsonl", "--signature", "problem"], ["signature", "->"]),
        (["--budget", "tokens=16k", "--data", "data.jsonl", "--grader", "fuzzy"], ["fuzzy", "exact"]),
        (["--budget", "tokens=16k", "--data", "data.jsonl", "--grader", "exact", "--tolerance", "1"], ["tolerance"]),
        (["--budget", "tokens=16k", "--data", "half.jsonl"], ["half.jsonl", "line 1", "problem", "half a character"]),
        (["--budget", "tokens=16k", "--model", "m", "--no-endpoint"], ["--model", "--endpoint"]),
    ],
    ids=lambda value: " ".join(value[2:] or value) if isinstance(value, list) else "",
)
def test_options(
    command: Command,
    model: FakeVLLM,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: list[str],
) -> None:
    (tmp_path / "bad.jsonl").write_text('{"problem": "say 1", "answer": "1"}\n{"problem": \n', encoding="utf-8")
    (tmp_path / "half.jsonl").write_text('{"problem": "\\ud800?", "answer": "1"}\n', encoding="utf-8")
    where = [] if "--no-endpoint" in options else ["--endpoint", model.url]
    told = refused(command, capsys, "search", *where, *[o for o in options if o != "--no-endpoint"])
    assert all(word in told for word in words)
    assert model.calls == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\nrounds:\n  - {width: 1}\nturbo: yes\n", ["turbo"]),
        ("name: x\nrounds:\n  - {width: 0}\n", ["width", "line 3"]),
        ("name: x\nrounds:\n  - {width: 8, distill: {kind: summary}}\n  - {width: 4}\n", ["width"]),
    ],
    ids=["unknown key", "width 0", "drafts left"],
)
def test_workflows(
    command: Command,
    model: FakeVLLM,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    words: list[str],
) -> None:
    (tmp_path / "w.yaml").write_text(text, encoding="utf-8")
    told = refused(command, capsys, "run", "w.yaml", "--budget", "tokens=16k", "--endpoint", model.url)
    assert all(word in told for word in words)
    assert model.calls == []


@pytest.mark.parametrize(("given", "words"), [("toml", ["'toml'", "markers"]), ("plain,json", ["a run has one"])])
def test_a_run_has_one_format_that_there_is(
    command: Command, model: FakeVLLM, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str, words: list[str]
) -> None:
    (tmp_path / "w.yaml").write_text("name: x\nrounds:\n  - {width: 1}\n", encoding="utf-8")
    where = ["--budget", "tokens=16k", "--endpoint", model.url]
    told = refused(command, capsys, "run", "w.yaml", *where, "--format", given)
    assert "--format" in told and all(word in told for word in words)
    assert model.calls == []


def test_a_workflow_that_does_not_fit_the_budget(
    command: Command, model: FakeVLLM, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "w.yaml").write_text("name: x\nrounds:\n  - {width: 1, answer: 4000}\n", encoding="utf-8")
    told = refused(command, capsys, "run", "w.yaml", "--budget", "tokens=2k", "--endpoint", model.url)
    assert "budget.tokens" in told and "smallest that fits" in told


SEARCH = ("search", "--budget", "tokens=4k", "--endpoint")


def test_an_unreachable_endpoint(command: Command, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(command, capsys, *SEARCH, "http://127.0.0.1:9/v1", "--data", data)
    assert "endpoint" in told and "127.0.0.1:9" in told


def test_another_model(command: Command, model: FakeVLLM, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(command, capsys, *SEARCH, model.url, "--model", "gpt-9", "--data", data)
    assert "model" in told and "gpt-9" in told and "fake-model" in told


def test_a_server_that_answers_html(
    command: Command, start_fake: Callable[..., FakeVLLM], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refused(command, capsys, *SEARCH, start_fake(models_reply=HTML).url, "--data", data)
    assert "endpoint" in told and "OpenAI" in told


def test_an_expired_key_is_never_shown(
    command: Command,
    start_fake: Callable[..., FakeVLLM],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PDR_API_KEY", SECRET)
    told = refused(command, capsys, *SEARCH, start_fake(api_key="another").url, "--data", data)
    assert "api key" in told and SECRET not in told
    kept = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(SECRET.encode() in content for content in kept)
