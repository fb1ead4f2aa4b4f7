"""What both views of a run say in the same words: labels, amounts, who agrees with whom. Pure."""

from __future__ import annotations

import json
from typing import Any

from pdr_dspy.run_view.data import CallData, DraftData, FailedData, RoundData, RunData
from pdr_dspy.terminal import printable

FALLBACKS = {
    "unmarked": "the text it wrote, without the format's marks",
    "answers": "the drafts' answers",
    "random": "drafts drawn at random",
    "previous": "the previous draft alone",
    "vote": "a vote over the drafts",
    "best": "a vote over the last round that has drafts",
}
"""What stands in the place of a failed call, by its short name."""

_LONGEST_VALUE = 20_000  # characters of an output that is shown; an image in base64 has many more


def safe(text: str) -> str:
    """A model's, server's or user's text as it may be shown: no secrets, no control characters."""
    return printable(text)


def value(of: Any) -> str:
    """An output field's value as text: texts as they are, others as JSON."""
    text = of if isinstance(of, str) else json.dumps(of, ensure_ascii=False)
    if len(text) > _LONGEST_VALUE:
        text = f"{text[:_LONGEST_VALUE]}... ({len(text):,} characters)"
    return safe(text)


def group_name(number: int | None) -> str:
    """A letter for the drafts that agree: A, B, ..., Z, A2, B2, ...; a dash for one without an answer."""
    if number is None:
        return "-"
    turn, letter = divmod(number - 1, 26)
    return chr(ord("A") + letter) + (str(turn + 1) if turn else "")


def agreed(this: RoundData) -> str:
    """How many drafts of a round agree, the most frequent answer first: `A 5, B 2, C 1`."""
    sizes: dict[int, int] = {}
    for draft in this.drafts:
        if draft.group is not None:
            sizes[draft.group] = sizes.get(draft.group, 0) + 1
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{group_name(number)} {size}" for number, size in ordered)


def draft_title(draft: DraftData) -> str:
    """A draft's number (from 1) and what there is to know of it."""
    marks = [group_name(draft.group)]
    if draft.accepted:
        marks.append("accepted")
    if draft.read != "marks":
        marks.append(f"read: {draft.read}")
    if draft.cut:
        marks.append("cut at its cap")
    return f"{draft.index + 1} [{', '.join(marks)}]"


def round_title(number: int, this: RoundData) -> str:
    """A round and what became of it."""
    kind = "drafts" if number == 0 else "refinements"
    parts = [f"Round {number + 1}: {len(this.drafts)} of {this.width} {kind}"]
    if groups := agreed(this):
        parts.append(f"agreement {groups}")
    if this.distill:
        parts.append(f"then {this.distill}")
    return "; ".join(parts)


def failure_title(failed: FailedData) -> str:
    """A failed call and what was used instead."""
    instead = f"; instead: {FALLBACKS.get(failed.fallback, failed.fallback)}" if failed.fallback else ""
    return safe(f"{failed.stage} {failed.index + 1}: {failed.kind} ({failed.detail}){instead}")


def tokens_of(call: CallData) -> str:
    """What a call read and wrote."""
    thought = f" ({call.thinking_tokens:,} thinking)" if call.thinking_tokens is not None else ""
    return f"{call.prompt_tokens:,} in, {call.completion_tokens:,} out{thought}"


def outcome_of(call: CallData) -> str:
    """How a call ended, where that is worth a word."""
    said = [] if call.outcome == "ok" else [call.outcome]
    if call.attempts > 1:
        said.append(f"{call.attempts} attempts")
    if call.replayed:
        said.append("replayed")
    return ", ".join(said)


def totals(data: RunData) -> list[tuple[str, str]]:
    """The accepted path's totals, and those of everything."""
    meters = data.meters
    return [
        ("B_seq", f"{meters.b_seq:,} tokens in + out along the accepted path"),
        ("B_total", f"{meters.b_total:,} tokens in + out of every call"),
        ("generated", f"{meters.seq_generated:,} on the path, {meters.total_generated:,} in all"),
        (
            "calls",
            f"{meters.calls}, {meters.seq_calls} of them follow one another; attempts that failed: {meters.failures}",
        ),
        ("seconds", f"{meters.seconds:.2f} along the critical path"),
    ]


def equality_of(data: RunData) -> str:
    """By what drafts agree."""
    whose = {"default": "by what they say", "given": "by the program's equality", "spelling": "as they are spelt"}
    return f"{', '.join(data.vote_on) or 'nothing'}, {whose.get(data.equality, data.equality)}"
