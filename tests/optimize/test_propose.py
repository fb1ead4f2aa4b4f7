"""`--propose`: instructions that a model wrote join the search, are kept with it, paid once, win where they help."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from fakes.vllm import FakeVLLM
from propose_support import MAGIC, both, proposing, solving, writing
from search_support import Command, Silent, assert_nothing_paid_twice

from pdr_dspy.command.guarded import REFUSED
from pdr_dspy.endpoint import FileAllowance
from pdr_dspy.workflow import load_workflow

SMALL = ("--budget", "tokens=4k", "--problems", "8", "--report-problems", "8", "--front", "2", "--study", "s")
KEY, OTHER = "sk-key-of-the-model-0123456789", "sk-key-of-the-proposer-0123456789"


def arguments(model: FakeVLLM, data: Path, *more: object) -> tuple[object, ...]:
    return (*SMALL, "--endpoint", model.url, "--data", data, "--topologies", "1,4-1", *more)


def test_a_proposed_instruction_wins_runs_elsewhere_and_is_paid_once(
    command: Command,
    model: FakeVLLM,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model.answer = both
    assert command("search", *arguments(model, data, "--propose", 2, "--trials", 4, "--jobs", 1)) == 0
    out, err = capsys.readouterr()
    assert f"draft=grounded-1: {MAGIC}" in err and f"distill=reflective-2: {MAGIC}" in err
    assert "prompts draft=grounded-1 refine=grounded-1 distill=grounded-1" in out + err
    winner = load_workflow(tmp_path / "runs" / "s" / "winner.yaml")
    assert MAGIC in winner.prompts.own["draft"].text
    texts = yaml.safe_load((tmp_path / "runs" / "s" / "proposals.yaml").read_text())
    assert {stage: list(own) for stage, own in texts.items()} == {
        stage: ["grounded-1", "reflective-2"] for stage in ("draft", "refine", "distill")
    }
    assert Silent.last is not None and yaml.safe_load(Silent.last.kept["proposals.yaml"]) == texts
    assert_nothing_paid_twice(model)

    assert MAGIC in (tmp_path / "runs" / "s" / "report.html").read_text()

    before, proposed = len(model.calls), len(proposing(model))
    assert command("search", *arguments(model, data)) == REFUSED
    assert "space.proposals was" in capsys.readouterr().err
    assert command("search", *arguments(model, data, "--propose", 3)) == REFUSED
    assert "--propose: the study 's' was made with 2 proposals a stage, now 3" in capsys.readouterr().err
    assert len(model.calls) == before
    assert command("search", *arguments(model, data, "--propose", 2, "--trials", 5, "--jobs", 1)) == 0
    assert len(proposing(model)) == proposed and "6 instructions by fake-model" in capsys.readouterr().err
    assert_nothing_paid_twice(model)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "winner.yaml").write_bytes((tmp_path / "runs" / "s" / "winner.yaml").read_bytes())
    monkeypatch.chdir(elsewhere)
    before = len(model.calls)
    assert command("run", "winner.yaml", "--budget", "tokens=4k", "--endpoint", model.url, "--data", data) == 0
    assert all(MAGIC in call.messages[0]["content"] for call in model.calls[before:]) and len(model.calls) > before


def test_another_proposer_has_its_own_key_which_is_in_no_file_and_counts_as_spent(
    command: Command,
    start_fake: Callable[..., FakeVLLM],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = start_fake(context=8192, answer=solving, api_key=KEY)
    other = start_fake(context=16_384, model="a/large-one", answer=writing, api_key=OTHER)
    monkeypatch.setenv("PDR_API_KEY", KEY)
    asked = arguments(model, data, "--propose", 1, "--proposer", f"{other.url}#a/large-one", "--trials", 2)
    assert command("search", *asked) == REFUSED
    told = capsys.readouterr().err
    assert (
        "--proposer: a key is required" in told
        and "Put its key into PDR_PROPOSER_API_KEY" in told
        and other.calls == []
    )

    monkeypatch.setenv("PDR_PROPOSER_API_KEY", OTHER)
    assert command("search", *asked) == 0
    out, err = capsys.readouterr()
    assert "a/large-one writes 1 new instructions for each of draft, refine, distill" in err
    assert len(proposing(other)) == len(other.calls) > 0 and proposing(model) == []
    assert not any(KEY in call.headers["authorization"] for call in other.calls)
    spent = sum(
        call.completion_tokens for fake in (model, other) for call in (*fake.calls, *fake.probes) if call.status == 200
    )
    assert FileAllowance(tmp_path / "runs" / "s" / "spend").spent == spent
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert kept and not any(key.encode() in content for key in (KEY, OTHER) for content in kept)
    assert Silent.last is not None
    assert not any(key in text for key in (KEY, OTHER) for text in (out, err, told, json.dumps(Silent.last.kept)))


def test_a_proposer_without_a_usable_text_is_told_and_the_search_goes_on(
    command: Command,
    start_fake: Callable[..., FakeVLLM],
    model: FakeVLLM,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = start_fake(context=16_384, answer=lambda call: writing(call, "word " * 1025))
    asked = arguments(model, data, "--propose", 1, "--proposer", other.url, "--trials", 2, "--topologies", "1")
    assert command("search", *asked) == 0
    err = capsys.readouterr().err
    assert "wrote nothing usable (2 refused)" in err and "goes on with the catalogue" in err
    assert "refused for draft (grounded): 1,025 tokens, more than 1,024" in err


def test_a_dry_run_says_what_proposing_costs_and_sends_nothing(
    command: Command, model: FakeVLLM, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("search", *arguments(model, data, "--propose", 3, "--dry-run")) == 0
    out = capsys.readouterr().out
    assert "3 for each of draft, refine, distill, by fake-model: at most about 52 calls, 159.7k tokens" in out
    assert model.calls == [] and not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--propose", "-1"], ["--propose", "from 0 to 16"]),
        (["--propose", "99"], ["--propose", "from 0 to 16"]),
        (["--proposer", "http://127.0.0.1:9"], ["--proposer", "nothing for it to propose", "--propose N"]),
        (["--propose", "2", "--proposer", "#m"], ["--proposer", "no address", "#Qwen"]),
        (["--propose", "2", "--proposer", "http://127.0.0.1:9#m"], ["--proposer", "127.0.0.1:9", "unreachable"]),
        (["--propose", "2", "--proposer", "http://me:sk-secret@host/v1"], ["--proposer", "PDR_PROPOSER_API_KEY"]),
        (["--propose", "2", "--proposer", "MODEL#gpt-9"], ["--proposer", "gpt-9", "fake-model"]),
        (["--propose", "2", "--proposer", "SHORT"], ["--propose", "needs a context of 4,096", "has 2,048"]),
        (["--propose", "2", "--embedded"], ["--propose", "the embedded reasoner", "--proposer URL#MODEL"]),
    ],
    ids=lambda value: " ".join(value),
)
@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["", "dry"])
def test_what_is_wrong_is_said_before_anything_is_spent(
    command: Command,
    model: FakeVLLM,
    start_fake: Callable[..., FakeVLLM],
    data: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: list[str],
    dry: tuple[str, ...],
) -> None:
    short = start_fake(context=2048)
    where = ["--endpoint", model.url] if "--embedded" not in options else []
    given = [o.replace("MODEL", model.url).replace("SHORT", short.url) for o in options if o != "--embedded"]
    assert command("search", *SMALL, *where, "--data", data, *given, *dry) == REFUSED
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("error: ") and all(word in told for word in words) and "sk-secret" not in told
    assert model.calls == short.calls == []
