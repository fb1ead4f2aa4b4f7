"""Requests are values, checked once, when they are made; what is wrong with one names the field and the mend."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from pdr_dspy.errors import InputError

_SHOWN = 60  # characters of a wrong value that are repeated


class Request(BaseModel):
    """A frozen model that raises `InputError`, as everything here does, and not pydantic's error.

    Raises:
        InputError: an unknown field, one that is missing, or a value that is none; `field` is its name in Python.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True
    )

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise self._refused(error) from None
        except InputError as error:  # a text's own reader, which names the option
            raise error.named(error.field.removeprefix("--").replace("-", "_")) from None

    @classmethod
    def of(cls, given: Self | Mapping[str, Any]) -> Self:
        """The request itself, or the one that a mapping of its fields means.

        Raises:
            InputError: it is neither.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, Mapping) and all(isinstance(name, str) for name in given):
            return cls(**given)
        raise InputError("request", f"a {type(given).__name__} is no {cls.__name__}", f"Give {cls.__name__}(...)")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A request with other values, checked like any.

        Raises:
            InputError: as a new one.
        """
        return type(self)(**{**{name: getattr(self, name) for name in type(self).model_fields}, **(update or {})})

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, data: Any) -> Any:
        for name, value in data.items() if isinstance(data, dict) else ():
            field = cls.model_fields.get(name)
            if isinstance(value, bool) and field is not None and field.annotation is not bool:
                raise InputError(name, f"{value} can't be used", f"Give {field.description}")
        return data

    @classmethod
    def _refused(cls, error: ValidationError) -> InputError:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else cls.__name__
        described = cls.model_fields[name].description if name in cls.model_fields else None
        mend = f"Give {described}" if described else "See --help"
        match first["type"]:
            case "missing":
                return InputError(name, "it is missing", mend)
            case "extra_forbidden":
                near = get_close_matches(name, cls.model_fields, 1)
                there = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(cls.model_fields)}"
                return InputError(name, "there is no such option", there)
            case "greater_than_equal" | "less_than_equal":
                least = "ge" in first.get("ctx", {})
                bound = first["ctx"]["ge" if least else "le"]
                value = f"{first['input']} is too {'few' if least else 'many'}"
                return InputError(name, value, f"Give {bound} or {'more' if least else 'less'}")
            case _:
                shown = repr(first["input"])
                shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
                return InputError(name, f"{shown} can't be used ({first['msg']})", mend)
