"""What `docs/composing.md` shows, runs: every block, in order, in one namespace."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dspy
import pytest
from fakes.stages import by_stage
from fakes.vllm import FakeVLLM

from pdr_dspy import EndpointLM

ROOT = Path(__file__).resolve().parent.parent


def test_every_example_of_the_page_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "composing.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) > 2
    space: dict[str, Any] = {}
    with FakeVLLM(answer=by_stage, context=32768, tokenizer="words") as server, ExitStack() as stack:

        def configure(lm: EndpointLM) -> None:  # for this test alone
            stack.enter_context(lm)
            stack.enter_context(dspy.context(lm=lm))

        monkeypatch.setattr(dspy, "configure", configure)
        for block in blocks:
            here = block.replace("http://localhost:8000", server.url)
            exec(compile(here, "docs/composing.md", "exec"), space)
    said = capsys.readouterr().out
    assert "8 of 8 drafts\ndistilling\nrefining\n" in said
    assert space["prediction"].answer in {"0", "1", "2"}
