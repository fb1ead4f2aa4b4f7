"""Run by vLLM's Python: `PYTHON vllm_serving.py CHECKPOINT` serves it through `VllmPipeline` and asks it a few things.

Writes the answers as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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

        def ask(body: dict[str, object]) -> dict[str, object]:
            answer: dict[str, object] = httpx.post(
                f"{url}/chat/completions", json=body, timeout=300, trust_env=False
            ).json()
            return answer

        answers = list(pool.map(ask, asked))
        cores = "in process" if hasattr(llm.llm_engine.engine_core, "engine_core") else "in another process"
    print(json.dumps({"answers": answers, "core": cores}))


if __name__ == "__main__":
    main()
