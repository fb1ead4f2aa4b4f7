"""The marks that models put around their thinking: one table, for whoever reads them and whoever breaks them up."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """How one family of models marks its thinking.

    Attributes:
        opening, closing: The marks.
        models: Who writes them.
        field: Name of the output field whose tags in an XML format these marks are, too, in lower case; "" where no
            field has such a name. Where it is not known what fields an answer has, such tags are left alone.
    """

    opening: str
    closing: str
    models: str
    field: str = ""


PAIRS = (
    Pair("<think>", "</think>", "Qwen3, DeepSeek, GLM, SmolLM3, OLMo 3, Hunyuan and most others"),
    Pair("<seed:think>", "</seed:think>", "Seed-OSS"),
    Pair("<mm:think>", "</mm:think>", "MiniMax M3"),
    Pair("<longcat_think>", "</longcat_think>", "LongCat-Flash-Thinking"),
    Pair("[THINK]", "[/THINK]", "Magistral"),
    Pair("\u25c1think\u25b7", "\u25c1/think\u25b7", "Kimi-VL, Kimi k1.5"),
    Pair("<|open|>think<|sep|>", "<|close|>think<|sep|>", "Kimi K3"),
    Pair("<|START_THINKING|>", "<|END_THINKING|>", "Command A"),
    Pair("<|begin_of_thought|>", "<|end_of_thought|>", "OpenThinker, Sky-T1"),
    Pair("<|inner_prefix|>", "<|inner_suffix|>", "Apertus"),
    Pair("<|channel>thought", "<channel|>", "Gemma 4"),
    Pair("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>", "PLaMo 3"),
    Pair("<thought>", "</thought>", "EXAONE Deep, Marco-o1, Gemini's OpenAI-compatible API", field="thought"),
    Pair("<thinking>", "</thinking>", "Reflection, and models that were told to", field="thinking"),
    Pair("<reasoning>", "</reasoning>", "Reka Flash 3, models trained on GSM8K by GRPO's examples", field="reasoning"),
)
"""Harmony's channels (gpt-oss), and what Granite says in words, are no pairs: see `written`."""

AROUND_ANSWERS = (
    "<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>", "<|begin_of_solution|>",
    "<|end_of_solution|>", "<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>",
)  # fmt: skip
"""What the same models put around what they say at last."""

TAG_NAMES = tuple(pair.opening[1:-1] for pair in PAIRS if pair.closing == f"</{pair.opening[1:]}")
"""Of the marks that are tags, the names."""


def pairs_for(fields: Collection[str] | None) -> tuple[Pair, ...]:
    """The pairs that mark thinking where an answer has these output fields.

    Args:
        fields: Names of the fields; None where nobody knows.
    """
    names = None if fields is None else {name.casefold() for name in fields}
    return tuple(pair for pair in PAIRS if not pair.field or (names is not None and pair.field not in names))
