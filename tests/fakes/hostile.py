"""Texts of any length that a looping model, or one that means harm, may write: one part over and over."""

from __future__ import annotations

import random

PARTS = (
    "(", ")", "{", "}", "[", "]", "()", "{}", "{1}", "\\boxed{", "\\boxed{1}", "\\boxed{1} ", "\\frac{", "\\frac{1}{",
    "\\frac{1}{2}", "\\sqrt", "\\left(", "\\text{", "\\begin{pmatrix}", "\\begin{array}", "the answer is ",
    "The answer is: 4\n", "the answer of ", 'the answer to "', "answer", "Answer: ", "Answer:\n", "**Answer:** ",
    "final ", " ", "\n", " \n", "\t", "\r", "\u2003", "\x0b", "\u200b", "9", "9,999", "1 ", "1.", "1+", "1 000 ",
    "-", "- 1\n",
    "**", "* ", "__", "~~", "[[ ## ", "[[ ## answer ## ]]", "[[ ## answer ## ]]\n", "## answer\n", "#", '"', '"a": ',
    '{"a": ', '{"answer": ', '{"answer": "', '"answer": "\\', "],", '"",', "'", "`", "```", "```\n", "<think>",
    "</think>",
    "<think>a</think>", "<|channel|>a<|message|>", "<|im_end|>", "<", "<answer>", "<answer>1</answer>", "</b>", "$",
    "$1$",
    "<draft ", "</", "<answer ",
    "\\", "\\\\", "\\(", "&", "1 & 2 \\\\ ", "=", "x=", "x = 1, ", "1, ", ",", ";", "or ", "a ", "ab ", "A: ", "A: 1\n",
    "A: (1)\n", "A: 9*", "A:", "(A) ", "A, ", "1. a\n", "is ", "So ", "wait, ", "because ", "not 5 but ",
    "A is wrong. ",
    "x<", "\\pm ", "\\cup ", "|", "{x|", "!", ". ", "?", "...", ":", "1:", "million ", "twenty-", "^", "x^", "^{",
    "10^",
    "\U0001f600", "\u0663", "\ud800", "\0", "cm ", "per ", "%", "point (", "either ", "I hope ", "mean 1, ",
)  # fmt: skip
"""What is written over and over."""

BEFORE = (
    "",
    "Answer: ",
    "[[ ## answer ## ]]\n",
    '{"answer": ',
    "the answer is ",
    "```\n",
    "\\boxed{1} ",
    "A: ",
    "(",
    '["',
)
BEHIND = (
    "",
    "1",
    "\n",
    "}",
    ")",
    '"',
    "$",
    "x\n[[ ## completed ## ]]",
    "\nAnswer: 42",
    "\n```",
    "</answer>",
    "</think>",
)


def repeated(part: str, length: int) -> str:
    """A part over and over, `length` characters in all."""
    return (part * (length // len(part) + 1))[:length]


def mixed(seed: int) -> tuple[str, str, str]:
    """A beginning, a part made of several, and an end: the same for the same seed."""
    draw = random.Random(f"hostile/{seed}")
    return draw.choice(BEFORE), "".join(draw.choices(PARTS, k=draw.randint(1, 3))), draw.choice((*BEHIND, *PARTS))
