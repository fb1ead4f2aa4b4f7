"""Messages to token ids and back, as vLLM and transformers do it: the model's own tokenizer and chat template.

Uses only `tokenizers` and `jinja2`, so that the server (and anyone who wants to count tokens) needs neither
transformers nor torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import jinja2.sandbox
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from ..errors import EndpointError
from .jobs import ThinkTokens
from .longest import longest_tokens
from .model import TOKENIZER, read_json

THINK_START = "<think>"
THINK_END = "</think>"
SHORT = 4096
"""Characters that are tokenised in a few milliseconds."""
_IDS = 2**32  # the tokenizer's own type
_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")

Message = Mapping[str, Any]


class TemplateError(ValueError):
    """The messages can't be rendered with this model's chat template."""


class ChatTokenizer:
    """A model's tokenizer and chat template.

    Args:
        directory: The model's directory.

    Raises:
        EndpointError: There is no usable tokenizer or template in it.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / TOKENIZER
        said = read_json(path)
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
            self._longest = longest_tokens(said)
        except Exception as problem:  # the tokenizers' own, which is no other
            why = f"{path} is no tokenizer ({problem!r:.200})"
            raise EndpointError("weights", why, "Export the model again") from problem
        config_path = directory / "tokenizer_config.json"
        config = read_json(config_path) if config_path.is_file() else {}
        template_path = directory / "chat_template.jinja"
        try:
            source = (
                template_path.read_text(encoding="utf-8") if template_path.is_file() else config.get("chat_template")
            )
            if not isinstance(source, str):
                raise EndpointError("weights", f"{directory} has no chat template", "Add chat_template.jinja")
            self._template = _environment().from_string(source)
        except (OSError, ValueError, RecursionError, jinja2.TemplateError) as problem:
            why = f"the chat template of {directory} can't be read ({problem})"
            raise EndpointError("weights", why[:300], "Export the model again") from problem
        self._special = {name: text for name in _SPECIAL_TOKENS if (text := _token_text(config.get(name)))}

    @property
    def think_tokens(self) -> ThinkTokens | None:
        """The tokens around the thinking, or None where the model has none."""
        start, end = (self._tokenizer.token_to_id(text) for text in (THINK_START, THINK_END))
        return None if start is None or end is None else ThinkTokens(start, end)

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """Token ids of a text."""
        if len(text) <= SHORT:
            ids: list[int] = self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
        else:  # a batch lets other threads run meanwhile, one text does not
            ids = self._tokenizer.encode_batch([text], add_special_tokens=add_special_tokens)[0].ids
        return ids

    def least_tokens(self, text: str) -> int:
        """So many tokens a text has at least, known without tokenising it; 1 where nothing is known."""
        return self._longest.least(text) if self._longest else 1

    def first_unknown(self, ids: Sequence[int]) -> int | None:
        """The first of the ids that is none of the tokenizer's."""
        return next(
            (i for i in dict.fromkeys(ids) if not 0 <= i < _IDS or self._tokenizer.id_to_token(i) is None), None
        )

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """Text of token ids."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)
        return text

    def incremental(self) -> IncrementalText:
        """A decoder that is fed token by token."""
        return IncrementalText(self._tokenizer)

    def render(
        self,
        messages: Sequence[Message],
        /,
        *,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        **template_kwargs: Any,
    ) -> str:
        """The prompt's text.

        Args:
            messages: `{"role": ..., "content": text or text parts}` each.
            add_generation_prompt: End with the opening of an assistant message.
            continue_final_message: End inside the last message, so that the model goes on with it.
            template_kwargs: Further variables of the template.

        Raises:
            TemplateError: The template refuses the messages, or both ends were asked for.
        """
        if add_generation_prompt and continue_final_message:
            raise TemplateError("Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
        plain = [{**message, "content": _content(message.get("content"))} for message in messages]
        try:
            text: str = self._template.render(
                {
                    **self._special,
                    "tools": None,
                    "documents": None,
                    **template_kwargs,
                    "messages": plain,
                    "add_generation_prompt": add_generation_prompt,
                }
            )
        except Exception as problem:  # the template computes with what the messages and variables hold: it may be any
            raise TemplateError(f"the chat template refuses the messages: {problem}") from problem
        return _cut_after(text, plain[-1]["content"]) if continue_final_message else text

    def ends_inside_thinking(self, text: str, messages: Sequence[Message], /, **template_kwargs: Any) -> bool:
        """Whether a rendered prompt leaves its thinking open, so that the completion starts inside it.

        Only what the template or the assistant wrote at the end counts: a user may write `<think>`, too.
        """
        if THINK_START not in text:
            return False
        asked = list(messages)
        while asked and asked[-1].get("role") == "assistant":
            asked.pop()
        before = self.render(asked, add_generation_prompt=False, **template_kwargs) if asked else ""
        end = text[len(before) :] if text.startswith(before) else text
        return end.rfind(THINK_START) > end.rfind(THINK_END)


class IncrementalText:
    """Text that grows token by token; what comes out joined is what decoding all tokens at once gives."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)
        self._ids: list[int] = []
        self._length = 0

    def feed(self, token: int) -> str:
        """New text, often one token's, sometimes none yet (half a character)."""
        self._ids.append(token)
        text: str = self._stream.step(self._tokenizer, token) or ""
        self._length += len(text)
        return text

    def flush(self) -> str:
        """What is left at the end (half a character is left as its replacement mark)."""
        text: str = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        rest = text[self._length :]
        self._length = len(text)
        return rest


def _content(content: Any) -> str:
    # A list of text parts is joined by line breaks, as vLLM does for templates that expect a string.
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    texts = [_part(part) for part in (content if isinstance(content, list | tuple) else [content])]
    return "\n".join(texts)


def _part(part: Any) -> str:
    text = part.get("text") if isinstance(part, Mapping) else part
    if not isinstance(text, str):
        raise TemplateError("only text parts are supported in a message's content")
    return text


def _cut_after(text: str, content: str) -> str:
    # As transformers: the template may have stripped the message it was given.
    for form in (content, content.rstrip(), content.strip()):
        if form and (at := text.rfind(form)) >= 0:
            return text[: at + len(form)]
    raise TemplateError("continue_final_message is set, but the template does not show the final message")


def _token_text(value: Any) -> str | None:
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else None


def _environment() -> jinja2.sandbox.ImmutableSandboxedEnvironment:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)
