"""Other ways to say the instructions, so that a rewritten one is ordinary reading for the reasoner."""

from __future__ import annotations

import random

_OBJECTIVES = (
    "Solve every puzzle of the worksheet. Each number may be used only once.",
    "Given the fields `problem`, produce the fields `answer`.",
    "You are a careful solver of number puzzles. For each line, combine all the numbers to reach the target.",
    "Use addition, subtraction, multiplication and division to make the target from the numbers of each line.",
    "Find an expression for every line that equals the first number and uses every other number exactly once.",
    "This is a set of Countdown puzzles. Write one expression per line, in the form A: (7 * 4) + 13.",
    "Work out each line on its own. Use each given number once. Give one answer line per puzzle.",
)
_STAGES: dict[str, tuple[str, ...]] = {
    "draft": (
        "Think step by step, then write the solution and the final answer.",
        "Try different first operations for each line and keep what works. Report only lines you solved.",
        "Explore several approaches before you answer. State the final answer clearly.",
        "Reason carefully about the task, show the key steps, and finish with the answer in the required format.",
    ),
    "refine": (
        "Use the workspace as a starting point, keep its correct parts, and complete the rest.",
        "Read the notes, verify them, fill in the missing lines and write a complete solution with the final answer.",
        "Combine the partial results of the workspace with your own reasoning to solve every line.",
        "Improve the previous attempt: fix its errors, solve what is open, and give the whole answer.",
    ),
    "distill": (
        "Summarize the drafts into short notes. Keep correct results, drop repetition, respect the limit.",
        "Collect the lines that were solved in any draft. Do not exceed the token limit.",
        "Merge the useful facts of all drafts into one compact workspace for the next round.",
    ),
    "pick": (
        "Choose the best drafts, those with the most correct lines.",
        "Rank the drafts by correctness and completeness and return the best ones.",
    ),
    "analyse": (
        "Point out what is missing or wrong in the draft.",
        "Review the draft line by line and list every mistake and gap.",
    ),
}


def paraphrases() -> list[str]:
    """Every paraphrase, objectives and stages."""
    return [*_OBJECTIVES, *(text for texts in _STAGES.values() for text in texts)]


def perturbed(stage: str, text: str, objective: str, rng: random.Random) -> tuple[str, str]:
    """Another (objective, instruction): a paraphrase, words dropped, or sentences of both in another order."""
    if rng.random() < 0.5:
        text = rng.choice(_STAGES[stage])
    if rng.random() < 0.5:
        objective = rng.choice(_OBJECTIVES)
    if rng.random() < 0.5:
        drop = rng.random() * 0.3
        text = " ".join(word for word in text.split() if rng.random() > drop) or text
    if rng.random() < 0.2:
        text = f"{text} {rng.choice(_STAGES[stage])}"
    if rng.random() < 0.1:
        text = text.replace(". ", ".\n")
    return objective, text
