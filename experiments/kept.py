"""What a run kept in lines of JSON, read back and checked: of a line that was damaged or edited the field is said."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from pdr_dspy.errors import DataError
from pdr_dspy.workflow.complaints import first_problem

_T = TypeVar("_T")


def parsed(line: str, kind: TypeAdapter[_T], where: str, mend: str) -> _T:
    """A line's value.

    Args:
        line: The line.
        kind: What it has to be.
        where: The file and the line's number, for the error.
        mend: What to do about a line that is something else.

    Raises:
        DataError: it is something else; names the field.
    """
    try:
        return kind.validate_python(json.loads(line))
    except ValidationError as error:
        raise DataError("kept", f"{where}: {first_problem(error, 'the line')}", mend) from None
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else f"no JSON ({error})"[:300]
        raise DataError("kept", f"{where}: the line is {why}", mend) from None
