"""The reasoner's tokenizer: byte-level BPE in which numbers 0..99 are whole and the library's boilerplate is one token.

Every text round-trips: what no token covers falls to bytes. Boilerplate matches only while the library's texts are
byte-identical to those at build time; a rewritten instruction costs ordinary BPE tokens and nothing else.
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from experiments.reasoner.phrases import paraphrases
from experiments.reasoner.templates import COMPLETED, Prompts, marker

PAD, SYSTEM, USER, ASSISTANT, END = "<|pad|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"
SPECIAL = (PAD, SYSTEM, USER, ASSISTANT, END)
THINK, CLOSE = "<think>", "</think>"
LABELLED = "ABCDEFGH"
MOST_DRAFTS = 32
WORDS = (" no", " ok", " bad", " .", " open", " missing", " wrong", "none", " from", " make")
OPERATORS = (" +", " -", " *", " /", " =", " (")

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>{{ message['content'] }}<|end|>"
    "{% elif message['role'] == 'system' %}<|system|>{{ message['content'] }}"
    "{% else %}<|user|>{{ message['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

_SPLIT = r" ?[0-9]{1,2}| ?[A-Za-z]+| ?[^\sA-Za-z0-9]|\s+(?=\S)|\s+"


def chat_text(system: str, user: str) -> str:
    """What the chat template makes of one system and one user message, generation prompt included."""
    return f"{SYSTEM}{system}{USER}{user}{ASSISTANT}"


def fixed_tokens(prompts: Prompts) -> list[str]:
    """Texts that are one token each: thinking marks, labels, field markers, draft marks, boilerplate."""
    found = [THINK, CLOSE]
    for name in LABELLED:
        found += [f"{name}: make", f"\n{name}: make", f"{name}:", f"\n{name}:", f" {name}:", f"\n{name}"]
    for field in ("solution", "workspace", "picks", "analysis"):
        found.append(marker(field))
    found += [f"\n\n{marker('answer')}", COMPLETED, "\nanswer: ", "answer: ", "\n</draft>"]
    found += ["<draft>\n", "\n</draft>\n<analysis>\n", "\n</analysis>"]
    found += [f'<draft id="{i}">\n' for i in range(1, MOST_DRAFTS + 1)]
    found += [f'\n<draft id="{i}">\n' for i in range(2, MOST_DRAFTS + 1)]
    found += [f"{start}{i}. answer: " for start in ("", "\n") for i in range(1, MOST_DRAFTS + 1)]
    return list(dict.fromkeys([*found, *prompts.fixed_texts()]))


def build(prompts: Prompts, learned: int = 260) -> Tokenizer:
    """The tokenizer: hand-made merges for numbers and operators, `learned` merges of English, fixed tokens."""
    split = pre_tokenizers.Split(Regex(_SPLIT), "isolated")
    pre = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    corpus = paraphrases() + [text for group in prompts.instructions.values() for text in group.values()]
    corpus += ["".join(WORDS) * 50]
    trainee = Tokenizer(models.BPE())
    trainee.pre_tokenizer = pre
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=256 + learned, initial_alphabet=alphabet, special_tokens=[], show_progress=False
    )
    trainee.train_from_iterator([*corpus, *prompts.fixed_texts()], trainer)
    learned_merges = [
        tuple(pair) if isinstance(pair, list) else tuple(pair.split(" "))
        for pair in json.loads(trainee.to_str())["model"]["merges"]
    ]
    merges: list[tuple[str, str]] = [(str(n // 10), str(n % 10)) for n in range(10, 100)]
    merges += [("Ġ", str(n)) for n in range(100)]
    merges += [("Ġ", operator[1]) for operator in (*OPERATORS, " .")]
    merges += [pair for pair in learned_merges if pair not in set(merges)]
    vocab: dict[str, int] = {}
    for token in (*SPECIAL, *alphabet, *("".join(pair) for pair in merges)):
        vocab.setdefault(token, len(vocab))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, normalized=False, special=True) for text in SPECIAL])
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in fixed_tokens(prompts)])
    for text in (*WORDS, *OPERATORS, *(f" {n}" for n in range(100)), *(f"{n}" for n in range(100))):
        if len(tokenizer.encode(text, add_special_tokens=False).ids) != 1:
            raise ValueError(f"{text!r} is not one token")
    return tokenizer


def save(tokenizer: Tokenizer, folder: Path, context: int) -> None:
    """Writes tokenizer.json, tokenizer_config.json and chat_template.jinja."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context,
        "eos_token": END,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
