"""One call of a program, as DSPy's modules are called: the inputs, and beside them `lm=`, `config=`, `demos=`.

Text and options are looked at here, before a token is spent; behind this module there are values.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dspy
from dspy.adapters.utils import annotation_allows_none

from pdr_dspy.errors import InputError, WorkflowError
from pdr_dspy.modules.call_config import read_config

RESERVED = ("lm", "config", "demos", "signature", "new_signature", "_trace", "self", "instance")
"""What DSPy's predictors take for themselves, and what its calls name the module, so that no input field can have that
name."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call.

    Attributes:
        inputs: The signature's input fields that were given.
        lm: The LM of all its calls; None: each predictor's, or that of `dspy.configure`.
        config: Sampling of all its calls (`temperature`, `top_p`, `rollout_id`, fields of vLLM's); it goes before the
            workflow's.
        seed: The seed of the run in the place of the program's; None: the program's.
        demos: Whether the predictors' demonstrations are shown.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    lm: Any = None
    config: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    demos: bool = True

    @property
    def rollout(self) -> int:
        """DSPy's rollout id of the call, 0 where it has none."""
        return int(self.config.get("rollout_id") or 0)


def asked(signature: type[dspy.Signature], given: Mapping[str, Any], positional: tuple[Any, ...] = ()) -> Asked:
    """What a program is called with.

    Raises:
        InputError: an input is missing, or an option that a run has no place for is given.
    """
    names = list(signature.input_fields)
    if positional:
        raise InputError("inputs", "they have no names", f"Write {', '.join(f'{name}=...' for name in names)}")
    missing = [name for name, field in signature.input_fields.items() if name not in given and _is_needed(field)]
    unknown = [name for name in given if name not in names and name not in RESERVED]
    if missing:
        problem = f"{', '.join(missing)} is missing{f', {unknown} is not in the signature' if unknown else ''}"
        raise InputError("inputs", problem, f"Write {'=..., '.join(missing)}=...")
    if unknown:  # as DSPy says it, but not for each of the run's calls
        _log.warning("inputs that are not in the signature are ignored: %s (it has %s)", unknown, names)
    if given.get("signature") is not None or given.get("new_signature") is not None:
        raise InputError("signature", "a run has a signature for each stage", "Make another PDR for another one")
    if given.get("demos"):
        mend = "Set them where they belong: program.draft.demos, program.refine.demos, ..."
        raise InputError("demos", "a run has demonstrations for each of its stages", mend)
    lm = given.get("lm")
    if lm is not None and not isinstance(lm, dspy.BaseLM):
        mend = "Write lm=dspy.LM(...) or lm=connect(URL), with connect from pdr_dspy"
        raise InputError("lm", f"{type(lm).__name__} is no dspy.LM", mend)
    config, seed = read_config(given.get("config"))
    inputs = {name: given[name] for name in names if name in given}
    return Asked(inputs, lm, config, seed, demos="demos" not in given or given["demos"] is None)


def _is_needed(field: Any) -> bool:
    return bool(field.is_required()) and not annotation_allows_none(field.annotation)


def check_names(signature: type[dspy.Signature]) -> None:
    """See that a signature's inputs can be given.

    Raises:
        WorkflowError: a field has the name of an option.
    """
    taken = [name for name in signature.input_fields if name in RESERVED]
    if taken:
        raise WorkflowError("signature", f"DSPy keeps the input name {taken[0]!r} for itself", "Rename the field")
