"""Run by vLLM's Python, which has transformers: `PYTHON greedy_transformers.py CHECKPOINT MOST < prompts > texts`.

Reads token ids of prompts as JSON, writes the token ids of their greedy completions.
"""

from __future__ import annotations

import json
import sys

import torch
from transformers import AutoModelForCausalLM

torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
completions = []
with torch.inference_mode():
    for prompt in json.load(sys.stdin):
        ids = torch.tensor([prompt])
        made = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            temperature=None,
            max_new_tokens=int(sys.argv[2]),
        )
        completions.append(made[0, len(prompt) :].tolist())
json.dump(completions, sys.stdout)
