"""Whether a server's error message says that prompt and answer do not fit into the model's context.

Every server has its own words for it (the test has them, one by one). Pure.
"""

from __future__ import annotations

import re

_SAYS = re.compile(
    r"""
      context_length_exceeded | exceed_context_size | max_model_len                   # codes and fields
    | maximum\ (?:context|model|sequence|input|prompt)\ length                        # vLLM, OpenAI, TensorRT-LLM
    | max(?:imum)?[ _]allowed[ _](?:input\ )?length                                   # SGLang
    | (?:longer|larger|greater|more)\ than\ the\ (?:maximum\ )?(?:model'?s?\ )?(?:maximum\ )?context  # vLLM, SGLang
    | (?:exceeds?|exceeded|exceeding|over|beyond)\ (?:the\ )?(?:(?:available|maximum|max|model'?s?|its|configured)\ )*
      (?:context|session)[\ _](?:size|length|len|window|limit)                        # llama.cpp, Ollama, LM Studio
    | context[\ _](?:size|length|window|limit)\ (?:has\ been\ |is\ |was\ )?(?:exceeded|overflow|too\ small)
    | context\ (?:length|size|window)\ of\ (?:only\ )?\d+                             # LM Studio, OpenAI, Mistral
    | model\ context\ window\ is\ \d+
    | inputs?`?\ (?:tokens\ \+\ `max_new_tokens`\ must\ be\ <=|must\ have\ less\ than\ \d+\ tokens)        # TGI
    | `?max_new_tokens`?\ must\ be\ <=\ -?\d+.*\binputs?`?\ tokens
    | prompt\ length\ \(?\d+(?:\.\d+)?\)?\ (?:exceeds|is\ (?:longer|larger|greater))  # TensorRT-LLM
    | sum\ of\ prompt\ length.{0,80}should\ not\ exceed                               # TensorRT-LLM
    | (?:prompt|input|request)\b.{0,60}\b(?:exceeds?|larger\ than|longer\ than)\ (?:the\ )?
      max_(?:seq|input|num)_?(?:len|tokens)
    | (?:exceeds?|exceeded)\ (?:the\ )?(?:max(?:imum)?\ )?session[\ _](?:max\ )?len   # LMDeploy
    | exceed\ session\ max\ length
    | requested\ tokens\ .{0,20}exceed\ context\ window                               # llama-cpp-python
    | prompt\ is\ too\ long\b | prompt\ too\ long | input\ is\ too\ long              # Anthropic-style gateways, Ollama
    | input\ length\ and\ `?max_tokens`?\ exceed\ context\ limit
    | reduce\ the\ length\ of\ the\ (?:messages|input|prompt)                         # many, after OpenAI
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_CODES = re.compile(r"[\"'](?:code|type)[\"']\s*:\s*[\"'](?:context_length_exceeded|exceed_context_size_error)[\"']")
_LOOKED_AT = 4000  # characters: an error that quotes the request may be as long as that


def is_overflow(said: str) -> bool:
    """Whether a message is a server's word for a context that is too short."""
    return _SAYS.search(said[:_LOOKED_AT]) is not None


def has_overflow_code(body: str) -> bool:
    """Whether an error's body names it in a field, whatever its message says."""
    return _CODES.search(body[:_LOOKED_AT]) is not None
