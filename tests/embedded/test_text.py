"""Chat template, incremental text, thinking apart from answer, stop strings."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdr_dspy.embedded.chat import ChatTokenizer, TemplateError
from pdr_dspy.embedded.jobs import ThinkTokens
from pdr_dspy.embedded.thinking import ThinkingState
from pdr_dspy.embedded.transcript import Transcript
from pdr_dspy.errors import EndpointError

USER = {"role": "user", "content": "hi"}


def test_render_and_tokenise(tokenizer: ChatTokenizer) -> None:
    text = tokenizer.render([{"role": "system", "content": "be"}, USER])
    assert text == "<|system|>be<|end|><|user|>hi<|end|><|assistant|>"
    ids = tokenizer.encode(text)
    assert len(ids) == 5 + len("behi"), "every marker is one token"
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_text_parts_are_joined_by_line_breaks(tokenizer: ChatTokenizer) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert tokenizer.render([{"role": "user", "content": parts}], add_generation_prompt=False) == "<|user|>a\nb<|end|>"
    with pytest.raises(TemplateError, match="text parts"):
        tokenizer.render([{"role": "user", "content": [{"type": "image_url"}]}])


def test_continue_final_message_ends_inside_it(tokenizer: ChatTokenizer) -> None:
    messages = [USER, {"role": "assistant", "content": "<think>so "}]
    text = tokenizer.render(messages, add_generation_prompt=False, continue_final_message=True)
    assert text == "<|user|>hi<|end|><|assistant|><think>so "
    assert tokenizer.ends_inside_thinking(text, messages)
    with pytest.raises(TemplateError, match="both"):
        tokenizer.render(messages, continue_final_message=True)


def test_only_the_template_or_the_assistant_opens_the_thinking(tokenizer: ChatTokenizer) -> None:
    quoting = [{"role": "user", "content": "what is <think> for?"}]
    assert not tokenizer.ends_inside_thinking(tokenizer.render(quoting), quoting)
    assert tokenizer.ends_inside_thinking(tokenizer.render(quoting, think=True), quoting, think=True)


def test_template_may_refuse(tokenizer_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text((tokenizer_dir / "tokenizer.json").read_text())
    config = {"chat_template": "{{ raise_exception('roles must alternate') }}", "eos_token": {"content": "<|end|>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(TemplateError, match="roles must alternate"):
        ChatTokenizer(tmp_path).render([USER])
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(EndpointError, match="chat template"):
        ChatTokenizer(tmp_path)


@given(text=st.text(max_size=40))
def test_incremental_text_joins_to_the_whole(tokenizer: ChatTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    growing = tokenizer.incremental()
    pieces = [growing.feed(token) for token in ids]
    assert "".join(pieces) + growing.flush() == tokenizer.decode(ids)


def test_half_a_character_is_held_back_and_flushed_at_the_end(tokenizer: ChatTokenizer) -> None:
    growing = tokenizer.incremental()
    assert [growing.feed(token) for token in tokenizer.encode("é")] == ["", "é"]
    assert growing.feed(tokenizer.encode("é")[0]) == ""
    assert growing.flush() == "�"


def transcript(tokenizer: ChatTokenizer, *stop: str, split: bool = True, keep: bool = False) -> Transcript:
    tokens = tokenizer.think_tokens
    assert tokens is not None
    ends = frozenset(tokenizer.encode("<|end|>"))
    return Transcript(tokenizer, ThinkingState(tokens) if split else None, stop, keep, ends)


def test_thinking_is_split_off(tokenizer: ChatTokenizer) -> None:
    made = tokenizer.encode("<think>2+2</think>4<|end|>")
    whole = transcript(tokenizer)
    delta = whole.feed(made, "stop")
    assert (delta.reasoning, delta.content, delta.last) == ("2+2", "4", True)
    assert (whole.tokens, whole.reasoning_tokens, whole.finish) == (len(made), 3, "stop")
    assert whole.stop_reason == made[-1]


def test_without_splitting_everything_is_answer(tokenizer: ChatTokenizer) -> None:
    whole = transcript(tokenizer, split=False)
    delta = whole.feed(tokenizer.encode("<think>2+2</think>4"), "length")
    assert (delta.reasoning, delta.content) == ("", "<think>2+2</think>4")
    assert whole.reasoning_tokens == 0


def test_thinking_cut_off_is_all_thinking(tokenizer: ChatTokenizer) -> None:
    delta = transcript(tokenizer).feed(tokenizer.encode("<think>2+"), "length")
    assert (delta.reasoning, delta.content) == ("2+", "")


def test_stop_string_across_tokens_is_never_shown(tokenizer: ChatTokenizer) -> None:
    growing = transcript(tokenizer, "stop", "never")
    made = tokenizer.encode("a st stopped")
    shown = []
    for token in made:
        delta = growing.feed([token], None)
        shown.append(delta.content)
        if delta.last:
            break
    assert "".join(shown) == "a st "
    assert (growing.finish, growing.stop_reason, growing.tokens) == ("stop", "stop", len("a st stop"))


def test_stop_string_may_be_kept(tokenizer: ChatTokenizer) -> None:
    delta = transcript(tokenizer, "b", keep=True).feed(tokenizer.encode("abc"), "length")
    assert delta.content == "ab"


def test_text_held_back_for_a_stop_string_comes_at_the_end(tokenizer: ChatTokenizer) -> None:
    growing = transcript(tokenizer, "stop")
    assert growing.feed(tokenizer.encode("a sto"), None).content == "a "
    assert growing.feed([], "length").content == "sto"


@given(text=st.text("ab<", max_size=12), stop=st.text("ab", min_size=1, max_size=3), cuts=st.sets(st.integers(0, 12)))
def test_pieces_do_not_matter(tokenizer: ChatTokenizer, text: str, stop: str, cuts: set[int]) -> None:
    ids = tokenizer.encode(text)
    bounds = [0, *sorted(c for c in cuts if c < len(ids)), len(ids)]
    growing = transcript(tokenizer, stop)
    shown = ""
    for start, end in pairwise(bounds):
        if growing.finish is None:
            shown += growing.feed(ids[start:end], "length" if end == len(ids) else None).content
    if growing.finish is None:
        shown += growing.feed([], "length").content
    assert shown == text.split(stop)[0]
    assert growing.finish == ("stop" if stop in text else "length")


@given(made=st.lists(st.sampled_from([5, 6, 100, 101]), max_size=20), inside=st.booleans())
def test_every_token_is_one_part(made: list[int], inside: bool) -> None:
    state = ThinkingState(ThinkTokens(100, 101), inside)
    parts = [state.feed(token) for token in made]
    assert parts.count("thinking") == state.thought
    if "answer" in parts:
        assert "thinking" not in parts[parts.index("answer") :], "thinking stands before the answer"
