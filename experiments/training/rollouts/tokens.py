"""A call's tokens: what the model was given, what it drew, and what was put between by others. Pure.

A call whose thinking was stopped at its cap is one sequence, whoever stopped it: the server (it forces `</think>`) or a
second request that continues the first. Tokens that the policy did not draw have mask 0 and log-probability 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pdr_dspy.embedded.jobs import ThinkTokens
from pdr_dspy.errors import EndpointError

_MEND = "Serve the policy with a vLLM that knows return_token_ids (0.10.2 or newer)"


@dataclass(frozen=True, slots=True)
class Part:
    """One request and its answer: token ids, and a log-probability for each drawn one."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    log_probs: tuple[float, ...]

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Part:
        """Read a chat completion that was asked for with `return_token_ids` and `logprobs`.

        Raises:
            EndpointError: the server left them out.
        """
        choice = answer["choices"][0]
        beside = choice.get("provider_specific_fields") or {}  # where LiteLLM keeps what it does not know
        prompt, drawn = answer.get("prompt_token_ids"), choice.get("token_ids") or beside.get("token_ids")
        said = (choice.get("logprobs") or {}).get("content")
        for field, value in (("prompt_token_ids", prompt), ("token_ids", drawn), ("logprobs", said)):
            if value is None:
                raise EndpointError(field, "the server's answer does not have it", _MEND)
        assert prompt is not None and drawn is not None and said is not None
        if len(said) != len(drawn):
            raise EndpointError("logprobs", f"{len(said)} of them for {len(drawn)} tokens", _MEND)
        return cls(tuple(prompt), tuple(drawn), tuple(float(each["logprob"]) for each in said))


@dataclass(frozen=True, slots=True)
class Tokens:
    """A sequence to train on.

    Attributes:
        prompt: Token ids of the prompt.
        completion: Token ids after it.
        log_probs: For each of the completion's, under the policy that drew it, of the distribution that was sampled
            from (temperature included); 0 where it was forced.
        mask: For each of the completion's: 1 where the policy drew it, 0 where it was forced.
    """

    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    log_probs: tuple[float, ...]
    mask: tuple[int, ...]


def joined(parts: Sequence[Part], thinking: ThinkTokens | None = None, cap: int | None = None) -> Tokens:
    """The sequence of a call from its requests, in order.

    Args:
        parts: At least one. One that does not go on where the one before ended begins anew: the library asked once
            more.
        thinking: The tokens around the thinking; None: the model has none.
        cap: Tokens the thinking was allowed; None: any number.
    """
    found: Tokens | None = None
    for part in parts:
        found = _continued(found, part) if found is not None and _goes_on(found, part) else _begun(part)
    if found is None:
        raise ValueError("a call without a request")
    return found if thinking is None or cap is None else _without_forced(found, thinking, cap)


def _begun(part: Part) -> Tokens:
    return Tokens(part.prompt, part.completion, part.log_probs, (1,) * len(part.completion))


def _goes_on(tokens: Tokens, part: Part) -> bool:
    return len(part.prompt) > len(tokens.prompt) and part.prompt[: len(tokens.prompt)] == tokens.prompt


def _continued(tokens: Tokens, part: Part) -> Tokens:
    given = part.prompt[len(tokens.prompt) :]
    # The text was cut back to its cap, closed and read anew: as far as the tokens are the same, the policy drew them.
    same = 0
    for one, other in zip(given, tokens.completion, strict=False):
        if one != other:
            break
        same += 1
    put = len(given) - same
    return Tokens(
        tokens.prompt,
        (*given, *part.completion),
        (*tokens.log_probs[:same], *(0.0,) * put, *part.log_probs),
        (*tokens.mask[:same], *(0,) * put, *(1,) * len(part.completion)),
    )


def _without_forced(tokens: Tokens, thinking: ThinkTokens, cap: int) -> Tokens:
    """Mask the `</think>` that stands where the cap was reached."""
    if thinking.end not in tokens.completion:
        return tokens
    place = tokens.completion.index(thinking.end)
    start = tokens.completion.index(thinking.start) + 1 if thinking.start in tokens.completion[:place] else 0
    if place - start < cap or not tokens.mask[place]:
        return tokens
    mask, log_probs = list(tokens.mask), list(tokens.log_probs)
    mask[place], log_probs[place] = 0, 0.0
    return replace(tokens, mask=tuple(mask), log_probs=tuple(log_probs))
