"""Run by vLLM's Python: `PYTHON vllm_serving.py CHECKPOINT < requests` serves it through `VllmPipeline` and asks it.

Reads chat requests as JSON; writes the answers, where vLLM's core ran, and the log-probabilities to expect.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

import httpx

from pdr_dspy.embedded.run_vllm import answer_for_the_cpu_wheel

answer_for_the_cpu_wheel()


def main() -> None:
    from vllm import LLM

    from experiments.training.policy.serving import serving
    from experiments.training.policy.vllm_pipeline import VllmPipeline

    folder, asked = Path(sys.argv[1]), json.load(sys.stdin)
    llm = LLM(
        model=str(folder),
        dtype="float32",
        enforce_eager=True,
        enable_chunked_prefill=False,
        max_num_batched_tokens=16384,
        max_model_len=2048,
        block_size=32,
        logprobs_mode="processed_logprobs",
    )
    with serving(VllmPipeline(llm), folder, slots=16) as url, ThreadPoolExecutor(len(asked)) as pool:

        def ask(body: dict[str, Any]) -> Any:
            return httpx.post(f"{url}/chat/completions", json=body, timeout=300, trust_env=False).json()

        answers = list(pool.map(ask, asked))
        cores = "in process" if hasattr(llm.llm_engine.engine_core, "engine_core") else "in another process"
    print(json.dumps({"answers": answers, "core": cores, "expected": full_passes(folder, asked, answers)}))


def full_passes(folder: Path, asked: list[Any], answers: list[Any]) -> list[list[float]]:
    """Log-probabilities of the answers' tokens by the reasoner in plain torch, each in one pass over everything."""
    import torch

    from experiments.training.policy.weights import reasoner_of

    model = reasoner_of(folder)
    found = []
    with torch.no_grad():
        for body, answer in zip(asked, answers, strict=True):
            prompt, made = answer["prompt_token_ids"], answer["choices"][0]["token_ids"]
            states, _ = model.hidden_states(torch.tensor([[*prompt, *made]]))
            scores = model.logits(states[0, len(prompt) - 1 : -1]) / (body["temperature"] or 1.0)
            found.append(scores.log_softmax(-1).gather(1, torch.tensor(made)[:, None]).squeeze(1).tolist())
    return found


if __name__ == "__main__":
    main()
