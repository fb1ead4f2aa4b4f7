"""Greedy decoding of the same prompts by the embedded engine, vLLM and transformers: one checkpoint, one answer.

All three compute in float32 from the same weights. What is left is the order of sums: where two tokens are nearly level
the choice may differ, and everything after it. Seeded sampling is not compared: every engine has a sampler of its own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from .support import Messages, Served, prompts, refine_prompts

MOST = 192
PROMPTS = 16
FLOOR = 0.8  # of 16 sequences: three may meet a near tie


@pytest.mark.vllm
def test_three_engines_agree_on_greedy_completions(
    served: Callable[..., Served], vllm_python: Path, weights: Path, measured: Callable[[str], None]
) -> None:
    asked = [
        *prompts(8, lines=3, seed=91),
        *prompts(PROMPTS - 12, lines=4, seed=92),
        *refine_prompts(4, lines=4, seed=93),
    ]
    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    servers = [served(kind, parser=False) for kind in ("embedded", "vllm")]
    made = {server.kind: [ids(tokenizer, text) for text in greedy(server, asked)] for server in servers}
    by_transformers = transformers(vllm_python, weights, [servers[0].tokens(m) for m in asked])
    # As text and back, as the servers' answers come: the end token is no text.
    made["transformers"] = [ids(tokenizer, tokenizer.decode(c)) for c in by_transformers]
    for one, other in (("embedded", "vllm"), ("embedded", "transformers"), ("vllm", "transformers")):
        first = [diverged(a, b) for a, b in zip(made[one], made[other], strict=True)]
        same = sum(at is None for at in first) / len(first)
        tokens = sum(len(c) for c in made[one])
        at = [n for n in first if n is not None]
        measured(
            f"greedy, {one} and {other}: {same:.0%} of {len(first)} sequences ({tokens} tokens) are identical"
            + (f"; first different tokens at {sorted(at)}" if at else "")
        )
        assert same >= FLOOR, (one, other, first)


def greedy(server: Served, asked: list[Messages]) -> list[str]:
    """Each prompt's greedy completion."""

    def one(messages: Messages) -> str:
        answer = server.chat(messages, temperature=0, max_tokens=MOST)
        return str(answer.raise_for_status().json()["choices"][0]["message"]["content"])

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, asked))


def transformers(python: Path, weights: Path, asked: list[list[int]]) -> list[list[int]]:
    """The same by transformers, in vLLM's environment."""
    script = Path(__file__).with_name("greedy_transformers.py")
    ran = subprocess.run(
        [str(python), str(script), str(weights), str(MOST)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    completions: list[list[int]] = json.loads(ran.stdout.splitlines()[-1])
    return completions


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """A text's tokens."""
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def diverged(a: list[int], b: list[int]) -> int | None:
    """Where two sequences first differ, or None."""
    if a == b:
        return None
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
