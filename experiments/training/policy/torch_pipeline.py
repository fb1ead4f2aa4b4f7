"""The reasoner in plain torch as a pipeline of the embedded server's scheduler: batched sampling in this process."""

from __future__ import annotations

import random
import threading
from bisect import insort
from collections.abc import Mapping, Sequence
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from experiments.reasoner.model import Reasoner
from experiments.training.policy.decoding import Decoder, Prefix, Row
from experiments.training.policy.sampling import draw, log_probabilities
from experiments.training.policy.weights import load_hf
from pdr_dspy.embedded.jobs import Drawn, Finish, Sampling

GREEDY_BELOW = 1e-5
_PREFILL_TOKENS = 4096  # of one pass, filling included
_OFF = {"top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}


class TorchStream:
    """One sequence of a `TorchPipeline`.

    Attributes:
        tokens: The prompt and what was drawn so far.
        room: Tokens it may still draw.
        row: Where it is in the cache, once it has joined.
    """

    def __init__(
        self, owner: TorchPipeline, prompt: Sequence[int], sampling: Sampling, room: int, stop_ids: frozenset[int]
    ) -> None:
        self._owner = owner
        self.tokens = list(prompt)
        self.sampling = sampling
        self.room = room
        self._stop_ids = stop_ids
        self.row = Row(-1)
        self._random = random.Random(sampling.seed)
        self._drawn: list[int] = []
        self._logprobs: list[float] = []
        self.finish: Finish | None = None

    def uniform(self) -> float:
        """The next of the sequence's own random numbers, in [0, 1)."""
        return self._random.random()

    def take(self, token: int, logprob: float) -> None:
        """Go on by a token."""
        self.tokens.append(token)
        self._drawn.append(token)
        self._logprobs.append(logprob)
        self.room -= 1
        if token in self._stop_ids:
            self.finish = "stop"
        elif not self.room:
            self.finish = "length"

    def read(self) -> Drawn:
        """New tokens since the last read, and why the sequence ended, if it did."""
        new = Drawn(self._drawn, self.finish, self._logprobs)
        self._drawn, self._logprobs = [], []
        return new

    def cancel(self) -> None:
        """Drop the sequence."""
        self._owner.drop(self)


class TorchPipeline:
    """Continuous batching over the reasoner: sequences join and leave at any step.

    A prompt that stands in the cache already (another sample's, or a sequence's that goes on after its thinking was
    closed) is not computed again. Log-probabilities are of the distribution that was drawn from, after temperature
    and `top_k`; greedy decoding's are of the model's own, temperature 1.

    Args:
        model: The reasoner; sequences are generated where and in what precision it is. `load` writes into it.
        slots: Most sequences at once.
    """

    logprobs = True

    def __init__(self, model: Reasoner, *, slots: int = 192) -> None:
        self._model = model.eval()
        self._slots = slots
        self._lock = threading.Lock()
        # Twice the slots: new sequences take the places round and round, so that those of like age are neighbours.
        self._places = 2 * slots
        self._decoder = Decoder(self._model, self._places)
        self._next = 0
        self._joining: list[TorchStream] = []
        self._live: list[TorchStream] = []
        # What of others still stands in the cache: those dropped, which may go on, and prompts that may come again.
        self._dropped: list[TorchStream] = []
        self._first: dict[tuple[int, ...], Row] = {}
        self._prefixes: WeakValueDictionary[tuple[int, ...], Prefix] = WeakValueDictionary()

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Go on with other weights.

        Args:
            weights: Under Hugging Face's names, any floating-point type.

        Raises:
            RuntimeError: Sequences are being generated: their beginnings are of the old weights.
            ValueError: The weights are not this model's.
        """
        with self._lock:
            if self._live or self._joining:
                running = len(self._live) + len(self._joining)
                raise RuntimeError(f"{running} sequences are being generated: wait for them before new weights")
            load_hf(self._model, weights)
            self._dropped.clear()
            self._first.clear()
            self._prefixes.clear()

    def add(self, prompt: Sequence[int], sampling: Sampling, max_tokens: int, stop_ids: frozenset[int]) -> TorchStream:
        """Start one sequence.

        Raises:
            ValueError: A parameter that is not supported, or more tokens than the model's context.
            RuntimeError: Every slot is taken.
        """
        for name, off in _OFF.items():
            if getattr(sampling, name) != off:
                raise ValueError(f"{name}: the training's sampler does not support it, leave it at {off:g}")
        context = self._model.shape.context
        if not prompt or len(prompt) + max_tokens > context:
            raise ValueError(f"max_tokens: {len(prompt)} prompt tokens and {max_tokens} more are not in 2..{context}")
        with self._lock:
            if len(self._live) + len(self._joining) >= self._slots:
                raise RuntimeError(f"all of {self._slots} slots are taken")
            self._joining.append(TorchStream(self, prompt, sampling, max_tokens, stop_ids))
            return self._joining[-1]

    def drop(self, stream: TorchStream) -> None:
        """Take a sequence out; it may go on as another one that begins with its tokens."""
        with self._lock:
            if stream in self._joining:
                self._joining.remove(stream)
            elif stream in self._live:
                self._live.remove(stream)
                self._dropped.append(stream)

    @torch.inference_mode()
    def step(self) -> None:
        """Generate one token for every sequence."""
        # Attention's small shares are denormal numbers, which take several times as long: they count as 0 in the thread
        # that steps.
        torch.set_flush_denormal(True)
        with self._lock:
            self._admit()
            if self._live:
                self._advance()

    def _advance(self) -> None:
        """Pass every sequence's last token through the model and draw the next."""
        streams, device = self._live, self._model.embedding.device
        states = self._decoder.advance([stream.row for stream in streams], [stream.tokens[-1] for stream in streams])
        greedy = [stream.sampling.temperature < GREEDY_BELOW for stream in streams]
        heat = [1.0 if cold else s.sampling.temperature for s, cold in zip(streams, greedy, strict=True)]
        most = [0 if cold else s.sampling.top_k for s, cold in zip(streams, greedy, strict=True)]
        logprobs = log_probabilities(
            self._model.logits(states), torch.tensor(heat, device=device), torch.tensor(most, device=device)
        )
        uniform = torch.tensor([stream.uniform() for stream in streams], dtype=torch.float64, device=device)
        tokens = torch.where(torch.tensor(greedy, device=device), logprobs.argmax(1), draw(logprobs, uniform))
        taken = logprobs.gather(1, tokens[:, None]).squeeze(1)
        for stream, token, logprob in zip(streams, tokens.tolist(), taken.tolist(), strict=True):
            stream.take(token, logprob)
        self._live = [stream for stream in streams if stream.finish is None]

    def _admit(self) -> None:
        """Put all but the last token of every joining sequence into the cache."""
        joining, self._joining = self._joining, []
        going_on, fresh, again = [], [], []
        for stream in joining:
            prompt = tuple(stream.tokens[:-1])
            old = next((one for one in self._dropped if _begins(stream.tokens, one)), None)
            if old is not None:
                self._dropped.remove(old)
                stream.row = old.row
                going_on.append(stream)
            elif prompt in self._first and not self._first[prompt].length:
                stream.row = Row(self._place())
                again.append((stream, prompt))  # of one that joins with it and is not computed yet
            elif prompt in self._first or prompt in self._prefixes:
                prefix = self._prefix(prompt)  # before a place is taken: it might be the one where the prompt is
                stream.row = Row(self._place(), prefix=prefix)
            else:
                stream.row = Row(self._place())
                if prompt:
                    self._first[prompt] = stream.row
                    fresh.append(stream)
            insort(self._live, stream, key=lambda one: one.row.place)
        self._prefill(fresh)
        for stream, prompt in again:
            stream.row.prefix = self._prefix(prompt)
        # One token at a time: there are two where thinking was closed.
        while behind := [s for s in self._live if s.row.length < len(s.tokens) - 1]:
            self._decoder.advance([s.row for s in behind], [s.tokens[s.row.length] for s in behind])
        self._dropped = self._dropped[-self._slots :]

    def _prefix(self, prompt: tuple[int, ...]) -> Prefix:
        found = self._prefixes.get(prompt)
        if found is None:
            row = self._first[prompt]
            found = self._prefixes[prompt] = self._decoder.prefix(row, len(prompt))
            if row.own == len(prompt):  # it has just begun, too, so it may as well read what the others read
                row.own, row.prefix = 0, found
                del self._first[prompt]
        return found

    def _place(self) -> int:
        """The next place that is not in use. What was left there is gone."""
        used = {stream.row.place for stream in self._live}
        while self._next in used:
            self._next = (self._next + 1) % self._places
        place, self._next = self._next, (self._next + 1) % self._places
        self._dropped = [stream for stream in self._dropped if stream.row.place != place]
        self._first = {prompt: row for prompt, row in self._first.items() if row.place != place}
        return place

    def _prefill(self, fresh: list[TorchStream]) -> None:
        """Compute prompts, those of like length together."""
        waiting = sorted(fresh, key=lambda stream: len(stream.tokens))
        while waiting:
            # From the longest down, as many as fit when filled up to its length.
            batch = waiting[-max(1, _PREFILL_TOKENS // len(waiting[-1].tokens)) :]
            del waiting[-len(batch) :]
            self._decoder.prefill([stream.row for stream in batch], [stream.tokens[:-1] for stream in batch])


def _begins(tokens: Sequence[int], dropped: TorchStream) -> bool:
    """Whether everything of a dropped sequence that is in the cache is the beginning of these tokens."""
    length = dropped.row.length
    return 0 < length < len(tokens) and tokens[:length] == dropped.tokens[:length]
