"""What `docs/runs.md` shows, runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dspy
import pytest
from fakes.environment import no_endpoint
from fakes.stages import by_stage
from fakes.vllm import FakeVLLM

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "runs.md").read_text(encoding="utf-8")


def test_the_examples_run_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    with FakeVLLM(answer=by_stage, context=32768, tokenizer="words") as server, no_endpoint() as environ:
        environ["PDR_ENDPOINT"] = server.url
        kept: dict[str, Any] = {}
        # The page configures the process; here its settings are the block's.
        monkeypatch.setattr(dspy, "configure", kept.update)
        with dspy.context(lm=None, adapter=None):
            for script in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
                exec(script, scope)
        assert kept["lm"].endpoint.identity.model == "fake-model"
        assert scope["same"](question="again?").answer
        kept["lm"].close()
    printed = capsys.readouterr().out
    assert "distill round 1" in printed and printed.count("B_seq") == 3
    assert scope["again"] == scope["prediction"].run.data()
