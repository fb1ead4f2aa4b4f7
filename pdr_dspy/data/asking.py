"""The signature that a data set's problems are asked with: from the command line, a program, or the columns alone."""

from __future__ import annotations

from collections.abc import Sequence

import dspy

from pdr_dspy.data.columns.names import usable
from pdr_dspy.errors import DataError

CHOICE = "Answer the multiple-choice question."
CHOICE_ANSWER = "the letter of the right option alone"
ALL_LETTERS = "the letters of all right options, separated by commas"
ALL_ANSWER = "all the answers there are, separated by commas"

_MEND = 'Write it as DSPy does: "question -> answer: int".'


def parse_signature(text: str) -> type[dspy.Signature]:
    """A signature in DSPy's notation.

    Raises:
        DataError: it is none, or has a name that DSPy can't take.
    """
    for side in text.split("->"):
        for part in side.split(","):
            name = part.partition(":")[0].strip()
            if name.isidentifier() and not usable(name):
                raise DataError("signature", f"DSPy has no field called {name!r}: the name is its own", "Take another.")
    if text.count("->") != 1 or not all(side.strip() for side in text.split("->")):
        raise DataError("signature", f"{text!r} does not say which inputs give which outputs", _MEND)
    try:
        return dspy.Signature(text)
    except Exception as error:  # DSPy raises what its parser meets: SyntaxError, ValueError, AttributeError, ...
        raise DataError("signature", f"{text!r} does not parse ({type(error).__name__}: {error})", _MEND) from None


def usual_signature(
    inputs: Sequence[str], answer: str, *, choice: bool = False, several: bool = False
) -> type[dspy.Signature]:
    """The signature of problems that come without one.

    Args:
        inputs: Its input fields.
        answer: Its output field.
        choice: The problems have options.
        several: An answer has several parts, all of them wanted.
    """
    desc = (ALL_LETTERS if several else CHOICE_ANSWER) if choice else ALL_ANSWER if several else None
    output = dspy.OutputField(desc=desc) if desc else dspy.OutputField()
    fields = {**{name: (str, dspy.InputField()) for name in inputs}, answer: (str, output)}
    return dspy.Signature(fields, CHOICE) if choice else dspy.Signature(fields)


def graded_field(signature: type[dspy.Signature], inputs: Sequence[str], answer: str) -> str:
    """The output that is graded: the one with the answer's name, else the last.

    Raises:
        DataError: the signature wants inputs that there are not.
    """
    missing = [name for name in signature.input_fields if name not in inputs]
    if missing:
        raise DataError(
            "signature", f"its inputs {', '.join(missing)} are not in the data", f"Inputs there: {', '.join(inputs)}."
        )
    outputs = list(signature.output_fields)
    return answer if answer in outputs else outputs[-1]
