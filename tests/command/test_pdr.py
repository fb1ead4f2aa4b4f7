"""The command `pdr`: what it asks, what it says where, and how it ends."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes.stages import by_stage
from fakes.vllm import FakeVLLM, Reply

from pdr_dspy.command import main
from pdr_dspy.command.dispatch import SUBCOMMANDS
from pdr_dspy.workflow import preset_names

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-a-key-that-nobody-shows-0123456789"


@pytest.fixture(autouse=True)
def no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no endpoint."""
    for name in ("PDR_ENDPOINT", "PDR_MODEL", "PDR_API_KEY", "OPENAI_API_KEY", "HOSTED_VLLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server(start_fake: Callable[..., FakeVLLM], monkeypatch: pytest.MonkeyPatch) -> FakeVLLM:
    """A server that wants a key, which the environment has."""
    monkeypatch.setenv("PDR_API_KEY", KEY)
    return start_fake(answer=by_stage, context=8192, tokenizer="words", api_key=KEY)


def test_it_says_its_stages_and_prints_the_answer_alone(server: FakeVLLM, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "What is 2 * 3?", "--endpoint", server.url]) == 0
    said = capsys.readouterr()
    assert said.out.strip() in {"0", "1", "2"}
    drafts = [f"round 1 of 2: {done} of 8 drafts" for done in range(1, 9)]
    *stages, last = said.err.splitlines()
    assert stages == [
        "loading",
        "round 1 of 2: drafting",
        *drafts,
        "round 1 of 2: distilling",
        "round 2 of 2: refining",
        "round 2 of 2: 1 of 1 refinement",
    ]
    assert last.startswith("10 calls, 3 of them after one another; ")
    assert all("What is 2 * 3?" in call.prompt for call in server.calls if call.body["max_tokens"] > 100)


def test_a_terminal_sees_one_line_a_stage(server: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    from pdr_dspy.command.stages import StageLines
    from pdr_dspy.modules.progress import Progress
    from pdr_dspy.workflow import load_preset

    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True)
    with StageLines(out, load_preset("long_cot")) as lines:
        for done in range(3):
            lines.say(Progress("draft", 0, done, 2))
        lines.say(Progress("distill", 0, 0, 1))
    assert out.getvalue() == "\rdrafting\r1 of 2 drafts\r2 of 2 drafts\n\rdistilling\n"


def test_json_has_the_answer_and_what_it_took(server: FakeVLLM, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "ask",
        "x",
        "--endpoint",
        server.url,
        "--json",
        "--quiet",
        "--workflow",
        "majority",
        "--budget",
        "tokens=2k",
    ]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.err == ""
    found = json.loads(said.out)
    assert set(found["outputs"]) == {"answer"}
    assert (found["workflow"], found["budget"], found["calls"]) == ("majority", "tokens=2k", 16)
    assert 0 < found["tokens"]["path_generated"] <= found["tokens"]["generated"] < found["tokens"]["total"]
    assert found["model"] == "fake-model"


def test_the_environment_says_where_the_model_is(
    server: FakeVLLM, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PDR_ENDPOINT", server.url)
    monkeypatch.setattr("sys.stdin", io.StringIO("From a file?\n"))
    assert main(["ask", "--workflow", "long_cot"]) == 0
    assert "From a file?" in server.calls[-1].prompt
    assert KEY not in "".join(capsys.readouterr())


def test_several_outputs_are_named_and_typed(
    start_fake: Callable[..., FakeVLLM], capsys: pytest.CaptureFixture[str]
) -> None:
    server = start_fake(answer='{"solution": "s", "sum": 5, "parts": [2, 3]}', context=8192)
    words = ["ask", "x", "--endpoint", server.url, "--workflow", "long_cot"]
    assert main([*words, "--signature", "question -> sum: int, parts: list[int]"]) == 0
    assert capsys.readouterr().out == "sum: 5\nparts: [2, 3]\n"


WRONG: dict[str, tuple[list[str], str]] = {
    "an unknown command": (["serch"], "Did you mean pdr search?"),
    "an unknown option": (["--ask"], "is no option of pdr itself"),
    "no question": (["ask", " "], "question: it is empty"),
    "an unknown preset": (["ask", "x", "--workflow", "pdr_smal"], "Did you mean pdr_small? The presets are "),
    "no such file": (["ask", "x", "--workflow", "none.yaml"], "none.yaml: can't be read"),
    "a budget": (["ask", "x", "--budget", "tokens=16q"], "error: --budget tokens: '16q' is not a number of tokens"),
    "a budget of nothing": (["ask", "x", "--budget", " "], "error: --budget: it is empty"),
    "an unknown workflow": (["ask", "x", "--workflow", "none"], "error: --workflow: no preset has the name 'none'"),
    "a file": (["ask", "x", "--workflow", "none.yaml"], "error: --workflow none.yaml: can't be read"),
    "a signature": (["ask", "x", "--signature", "x"], "error: --signature: 'x' is no signature"),
    "a reserved name": (["ask", "x", "--signature", "self -> answer"], "error: --signature: DSPy keeps"),
    "two inputs": (["ask", "x", "--signature", "a, b -> c"], "--signature: it has several inputs"),
    "a model without server": (["ask", "x", "--model", "m"], "--model: there is no endpoint"),
    "an address": (["ask", "x", "--endpoint", "localhost:8000"], "error: --endpoint: 'localhost:8000' is not an http"),
    "nobody there": (["ask", "x", "--endpoint", "http://127.0.0.1:9"], "error: --endpoint: http://127.0.0.1:9"),
    "no worksheet": (["ask", "What is 17 * 23?"], "embedded reasoner can't solve 'What is 17 * 23?'. Give --endpoint"),
    "a line that is none": (["ask", "A: make 41 from 13, 7, 4\nand why?"], "can't solve 'and why?'"),
    "bytes": (["ask", "caf\udce9"], "error: question: it is no UTF-8 text"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_can_not_be_is_said_in_a_line(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    words, expected = WRONG[wrong]
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    line = said.err.splitlines()[-1]
    assert line.startswith("error: ") and expected in line


def test_the_environment_is_named_where_it_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PDR_MODEL", "m")
    assert main(["ask", "A: make 41 from 13, 7, 4"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: PDR_MODEL: there is no endpoint that could serve 'm'. Give --endp"
    )
    monkeypatch.setenv("PDR_ENDPOINT", "localhost:8000")
    assert main(["ask", "x"]) == 2
    assert "error: PDR_ENDPOINT: 'localhost:8000' is not an http address" in capsys.readouterr().err


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_question_on_stdin_that_is_no_text_is_said(
    errors: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = io.TextIOWrapper(io.BytesIO(b"\xff\xfe what?"), encoding="utf-8", errors=errors)  # as the locale has it
    monkeypatch.setattr("sys.stdin", given)
    assert main(["ask", "--endpoint", "http://127.0.0.1:9"]) == 2
    assert capsys.readouterr().err.startswith("error: question: it is no UTF-8 text. Write it as text; ")


def test_what_is_no_worksheet_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr("pdr_dspy.embedded.start", lambda **how: started.append(how))
    for more in ([], ["--signature", "question -> answer: int"]):
        assert main(["ask", "Why is the sky blue?", *more]) == 2
    assert started == []


def test_a_budget_that_does_not_fit_is_named_as_written(server: FakeVLLM, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "x", "--endpoint", server.url, "--budget", "tokens=1"]) == 2
    assert "error: --budget tokens: 1 tokens are too few" in capsys.readouterr().err
    assert main(["ask", "x", "--endpoint", server.url, "--model", "other"]) == 2
    assert "error: --model: 'other' is not served" in capsys.readouterr().err


def test_a_question_that_no_draft_comes_of_fails(
    start_fake: Callable[..., FakeVLLM], capsys: pytest.CaptureFixture[str]
) -> None:
    server = start_fake(answer="", context=8192)
    assert main(["ask", "x", "--endpoint", server.url, "--workflow", "long_cot"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("failed: round 1: no draft left")


def test_help_names_every_command_and_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        assert main(words) == 0
        said = capsys.readouterr().out
        assert all(f"  {name} " in said for name in SUBCOMMANDS)
        assert "pdr ask " in said and "PDR_ENDPOINT" in said
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pdr-dspy ")


def test_help_of_ask_names_its_default_preset(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["ask", "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "pdr_small" in said and "pdr_small" in preset_names()


@pytest.mark.parametrize("name", ["search", "run", "report"])
@pytest.mark.parametrize("takes", [True, False], ids=["takes arguments", "reads them"])
def test_the_other_commands_get_their_arguments_as_they_are(
    name: str, takes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def with_words(words: list[str]) -> int:
        seen.append(words)
        return 7

    def without() -> int:
        seen.append(sys.argv[1:])
        return 7

    module = types.ModuleType("a_command")
    module.main = with_words if takes else without  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, SUBCOMMANDS[name].module, module)
    before = list(sys.argv)
    assert main([name, "--budget", "tokens=16k", "--", "-x"]) == 7
    assert seen == [["--budget", "tokens=16k", "--", "-x"]]
    assert sys.argv == before


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_every_command_is_there(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(main([name, "--help"]))
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: pdr {name} ")


def test_data_shows_itself_as_it_was_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["data", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: pdr data ") and "\n  pdr data mine.jsonl" in said
    assert "python -m" not in said


def test_data_called_by_its_module_shows_itself_so() -> None:
    from pdr_dspy.data.__main__ import parser

    said = parser().format_help()
    assert said.startswith("usage: python -m pdr_dspy.data ") and "\n  python -m pdr_dspy.data mine.jsonl" in said


def test_data_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f'{{"problem": "say {n}", "answer": "{n}"}}\n' for n in range(40))
    (file := tmp_path / "mine.jsonl").write_text(rows, encoding="utf-8")
    assert main(["data", str(file)]) == 0
    assert "40 problems" in capsys.readouterr().out


def test_a_preset_is_measured_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "pdr_small", "long_cot", "--budget", "tokens=16k", "--dry-run"]) == 0
    assert "2 workflows" in capsys.readouterr().out


def test_a_command_whose_extra_is_missing_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["search", "--budget", "tokens=16k"]) == 2
    assert "pip install 'pdr-dspy[search]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "openvino_genai", None)
    assert main(["ask", "x"]) == 2
    said = capsys.readouterr().err
    assert "Give --endpoint http://host:8000/v1" in said and "pip install 'pdr-dspy[embedded]'" in said


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_it_ends_when_it_is_told_to(name: str, start_fake: Callable[..., FakeVLLM]) -> None:
    server = start_fake(answer=lambda call: Reply(fault="hang"), context=8192)
    command = [sys.executable, "-m", "pdr_dspy", "ask", "x", "--endpoint", server.url, "--workflow", "majority"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    server.wait(lambda fake: fake.in_flight >= 16, 120)
    process.send_signal(getattr(signal, name))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1] == "stopped"
    assert "Traceback" not in err
    server.wait(lambda fake: fake.in_flight == 0, 60)


@pytest.mark.embedded
def test_without_an_endpoint_it_is_the_embedded_reasoner(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "A: make 41 from 13, 7, 4", "--workflow", "long_cot"]) == 0
    said = capsys.readouterr()
    assert "starting the embedded reasoner" in said.err
    assert said.out.strip()


def test_looking_for_help_imports_nothing_else() -> None:
    source = (
        "import sys; from pdr_dspy.command import main; main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)
    for heavy in ("dspy", "litellm", "optuna", "mlflow", "numpy", "pydantic"):
        assert f"'{heavy}'" not in ran.stderr
