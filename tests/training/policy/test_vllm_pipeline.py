"""TRL's colocated engine, an offline `vllm.LLM`, served: in its own process and with its core in another."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pdr_dspy.embedded.chat import ChatTokenizer
from pdr_dspy.embedded.vllm_install import find_vllm
from pdr_dspy.embedded.vllm_server import VllmSettings, environment

pytestmark = pytest.mark.vllm

CAP = 24
TOLERANCE = 1e-3


@pytest.mark.parametrize(("own_process", "core"), [("0", "in process"), ("1", "in another process")])
def test_an_offline_vllm_is_served(
    own_process: str, core: str, vllm_python: Path, weights: Path, asked: list[list[dict[str, str]]]
) -> None:
    bodies = [
        {
            "messages": messages,
            "seed": number,
            "temperature": 0.7 if number % 2 else 0,
            "max_tokens": 80,
            "thinking_token_budget": CAP,
            "logprobs": True,
            "return_token_ids": True,
        }
        for number, messages in enumerate(asked[:6])
    ]
    script = Path(__file__).with_name("vllm_serving.py")
    ran = subprocess.run(
        [str(vllm_python), str(script), str(weights)],
        input=json.dumps(bodies),
        env=environment(
            find_vllm(vllm_python), VllmSettings(), {**os.environ, "VLLM_ENABLE_V1_MULTIPROCESSING": own_process}
        ),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    found = next(json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"answers"'))
    assert found["core"] == core
    tokenizer = ChatTokenizer(weights)
    think = tokenizer.think_tokens
    assert think is not None
    for answer, expected in zip(found["answers"], found["expected"], strict=True):
        (choice,) = answer["choices"]
        ids = choice["token_ids"]
        logprobs = [one["logprob"] for one in choice["logprobs"]["content"]]
        assert ids[0] == think.start and think.end in ids[: CAP + 2]
        if ids.index(think.end) == CAP + 1 and logprobs[CAP + 1] == 0.0:
            expected[CAP + 1] = 0.0  # written by the scheduler
        assert logprobs == pytest.approx(expected, abs=TOLERANCE)
        thinking, _, rest = tokenizer.decode(ids).removeprefix("<think>").partition("</think>")
        assert (choice["message"]["reasoning_content"], choice["message"]["content"]) == (thinking, rest)
