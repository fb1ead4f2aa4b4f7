"""A call's tokens from its requests: what was drawn counts, what was put between does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.training.rollouts.tokens import Part, joined
from pdr_dspy.embedded.jobs import ThinkTokens
from pdr_dspy.errors import EndpointError

THINK = ThinkTokens(start=90, end=91)
ONE = {"content": [{"logprob": -1}]}
ids = st.lists(st.integers(0, 80), max_size=6).map(tuple)


def part(prompt: tuple[int, ...], *drawn: int) -> Part:
    return Part(prompt, drawn, tuple(-0.5 - token for token in drawn))


def test_one_request_is_all_drawn() -> None:
    found = joined([part((1, 2), 90, 3, 91, 4)], THINK, cap=5)
    assert (found.prompt, found.completion, found.mask) == ((1, 2), (90, 3, 91, 4), (1, 1, 1, 1))
    assert found.log_probs == (-90.5, -3.5, -91.5, -4.5)


def test_a_close_where_the_cap_was_reached_was_forced() -> None:
    found = joined([part((1, 2), 90, 3, 4, 91, 5)], THINK, cap=2)
    assert found.mask == (1, 1, 1, 0, 1)
    assert found.log_probs[3] == 0


def test_a_close_before_the_cap_was_the_models_own() -> None:
    assert joined([part((1, 2), 90, 3, 91, 5)], THINK, cap=2).mask == (1, 1, 1, 1)


def test_thinking_that_the_prompt_opened_counts_from_the_start() -> None:
    assert joined([part((1, 90), 3, 4, 91, 5)], THINK, cap=2).mask == (1, 1, 0, 1)
    assert joined([part((1, 90), 3, 91, 5)], THINK, cap=2).mask == (1, 1, 1)


def test_a_close_after_the_first_is_text() -> None:
    assert joined([part((1,), 90, 91, 5, 5, 91)], THINK, cap=2).mask == (1, 1, 1, 1, 1)


def test_a_second_request_continues_the_first_and_what_it_was_given_besides_does_not_count() -> None:
    first = part((1, 2), 90, 3, 4)
    second = part((1, 2, 90, 3, 4, 91, 7), 8, 9)  # closed, and a line break, by the client
    found = joined([first, second], THINK, cap=2)
    assert found.prompt == (1, 2)
    assert found.completion == (90, 3, 4, 91, 7, 8, 9)
    assert found.mask == (1, 1, 1, 0, 0, 1, 1)
    assert found.log_probs == (-90.5, -3.5, -4.5, 0, 0, -8.5, -9.5)


def test_text_that_was_cut_back_and_read_anew_counts_as_far_as_it_is_the_same() -> None:
    found = joined([part((1,), 90, 3, 4, 5, 6), part((1, 90, 3, 44, 91), 8)], THINK, cap=2)
    assert found.completion == (90, 3, 44, 91, 8)
    assert found.mask == (1, 1, 0, 0, 1)


def test_a_request_with_another_prompt_begins_anew() -> None:
    found = joined([part((1, 2), 3), part((7, 8), 4)], THINK, cap=None)
    assert (found.prompt, found.completion) == ((7, 8), (4,))


@given(ids, st.lists(ids, min_size=1, max_size=3), ids)
def test_every_token_has_its_log_probability_and_only_drawn_ones_count(
    prompt: tuple[int, ...], pieces: list[tuple[int, ...]], put: tuple[int, ...]
) -> None:
    parts, stood, drawn = [], prompt, 0
    for piece in pieces:
        parts.append(part(stood, *piece))
        stood = (*stood, *piece, *put, 85)
        drawn += len(piece)
    found = joined(parts, None)
    assert len(found.completion) == len(found.log_probs) == len(found.mask)
    assert sum(found.mask) == drawn
    assert all(value == 0 for value, counts in zip(found.log_probs, found.mask, strict=True) if not counts)
    assert (*found.prompt, *found.completion) == stood[: len(stood) - len(put) - 1]


def test_an_answer_is_read_where_vllm_or_litellm_puts_the_ids() -> None:
    logs = {"content": [{"logprob": -1.5}, {"logprob": -2}]}
    plain = {"prompt_token_ids": [1], "choices": [{"token_ids": [4, 5], "logprobs": logs}]}
    kept = {"prompt_token_ids": [1], "choices": [{"provider_specific_fields": {"token_ids": [4, 5]}, "logprobs": logs}]}
    assert Part.of(plain) == Part.of(kept) == Part((1,), (4, 5), (-1.5, -2.0))


@pytest.mark.parametrize(
    "lacks, answer",
    [
        ("prompt_token_ids", {"choices": [{"token_ids": [4], "logprobs": ONE}]}),
        ("token_ids", {"prompt_token_ids": [1], "choices": [{"logprobs": ONE}]}),
        ("logprobs", {"prompt_token_ids": [1], "choices": [{"token_ids": [4], "logprobs": None}]}),
        ("logprobs", {"prompt_token_ids": [1], "choices": [{"token_ids": [4, 5], "logprobs": ONE}]}),
    ],
)
def test_a_server_that_leaves_something_out_is_told(lacks: str, answer: dict[str, object]) -> None:
    with pytest.raises(EndpointError) as told:
        Part.of(answer)
    assert told.value.field == lacks
    assert "return_token_ids" in told.value.mend
