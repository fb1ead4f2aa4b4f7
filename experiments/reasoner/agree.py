"""Whether transformers and OpenVINO GenAI decode the files of a folder alike, greedily, token by token.

python -m experiments.reasoner.agree pdr_dspy/embedded/weights
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
import openvino
import openvino_genai
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from experiments.reasoner.data import Generator
from experiments.reasoner.tokenizer import chat_text

NEW_TOKENS = 120
TIE = 1e-3


def _continuous_batching(folder: Path) -> openvino_genai.ContinuousBatchingPipeline:
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size = 1
    settings = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "INFERENCE_NUM_THREADS": 1}
    return openvino_genai.ContinuousBatchingPipeline(str(folder), scheduler, "CPU", settings)


def compare(folder: Path, prompts: int = 10) -> str:
    """Decodes prompts of every stage both ways.

    Raises:
        ValueError: the template or the decoded tokens differ.
    """
    torch.set_num_threads(1)  # two threads wait for each other on a shared machine
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    generator = Generator.load(folder / "tokenizer.json", split="search")
    pipeline = _continuous_batching(folder)
    rng = random.Random("agree")
    tokens = 0
    for number in range(prompts):
        _, system, user, _ = generator.texts(rng)
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        rendered = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        if rendered != chat_text(system, user):
            raise ValueError("the chat template renders another text than training saw")
        ids = tokenizer(rendered, add_special_tokens=False, return_tensors="pt")["input_ids"]
        if ids[0].tolist() != generator.tokenizer.encode(rendered, add_special_tokens=False).ids:
            raise ValueError("transformers tokenizes otherwise than training did")
        with torch.no_grad():
            out = model.generate(ids, do_sample=False, max_new_tokens=NEW_TOKENS)
            scores = model(out).logits[0]
        expected = out[0, ids.shape[1] :].tolist()
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens, config.do_sample = NEW_TOKENS, False
        config.stop_token_ids = {model.config.eos_token_id}
        handle = pipeline.add_request(number, openvino.Tensor(ids.numpy().astype(np.int64)), config)
        while pipeline.has_non_finished_requests():
            pipeline.step()
        found = handle.read_all()[0].generated_ids
        for position, (want, got) in enumerate(zip(expected, found, strict=False)):
            if want != got:
                row = scores[ids.shape[1] + position - 1]
                if abs(float(row[want] - row[got])) > TIE:
                    raise ValueError(f"prompt {number} differs at token {position}: {want} against {got}")
                break
            tokens += 1
        else:
            if len(found) != len(expected):
                raise ValueError(f"prompt {number}: {len(expected)} tokens against {len(found)}")
    return f"transformers and OpenVINO agree on {prompts} prompts, {tokens} tokens"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder that the embedded server loads")
    print(compare(parser.parse_args().folder))


if __name__ == "__main__":
    main()
