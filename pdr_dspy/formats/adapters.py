"""`markers`, `json` and `xml`: DSPy's own adapters, never a second request behind the caller's back, read leniently."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import dspy
from dspy.adapters.chat_adapter import ChatAdapter
from dspy.adapters.json_adapter import JSONAdapter
from dspy.adapters.utils import apply_output_field_defaults
from dspy.adapters.xml_adapter import XMLAdapter
from dspy.utils.exceptions import AdapterParseError

from pdr_dspy.formats.fields import role_of
from pdr_dspy.formats.objects import first_closed, latex
from pdr_dspy.formats.parsing import parsed
from pdr_dspy.formats.repairing import repaired
from pdr_dspy.formats.typed import strict
from pdr_dspy.quoting import without_tags

_MARKER = re.compile(r"^[ \t]*\[\[ ## (\w+) ## \]\][ \t]*", re.MULTILINE)
_COMPLETED = "[[ ## completed ## ]]"
_PLACEHOLDER = re.compile(r"\{\w+\}\Z")


class MarkersAdapter(ChatAdapter):
    """DSPy's `[[ ## field ## ]]` markers; its prompts are `dspy.ChatAdapter`'s to the letter."""

    def __init__(self) -> None:
        super().__init__(use_json_adapter_fallback=False)

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The fields.

        Raises:
            AdapterParseError: one of them can't be found.
        """
        return parsed(signature, completion, _between_markers, type(self).__name__)


class PDRJSONAdapter(JSONAdapter):
    """A JSON object, guided by its schema where the server takes one."""

    def __init__(self) -> None:
        super().__init__(use_native_function_calling=False)
        self.use_json_adapter_fallback = False

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The fields.

        Raises:
            AdapterParseError: one of them can't be found.
        """
        return parsed(signature, completion, self._object, type(self).__name__)

    def _object(self, signature: type[dspy.Signature], text: str) -> dict[str, Any]:
        if not text.lstrip().startswith("{"):
            raise ValueError("not a JSON object")
        loaded = repaired(text)
        if not isinstance(loaded, dict):  # something stands behind the object
            loaded = repaired(first_closed(text) or "")
        if not isinstance(loaded, dict):
            raise ValueError("not a JSON object")
        given = {name: value for name, value in loaded.items() if name in signature.output_fields}
        if any(value is None and field_is_text(signature, name) for name, value in given.items()):
            raise ValueError("a null in the place of a text")
        fields = {name: strict(value, signature.output_fields[name].annotation) for name, value in given.items()}
        fields = apply_output_field_defaults(signature, fields)
        if fields.keys() != signature.output_fields.keys():
            raise ValueError("a field is missing")
        _no_placeholder(fields)
        return {name: latex(value) for name, value in fields.items()}


class PDRXMLAdapter(XMLAdapter):
    """Every field between tags of its name."""

    def __init__(self) -> None:
        super().__init__(use_json_adapter_fallback=False)

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The fields.

        Raises:
            AdapterParseError: one of them can't be found.
        """
        return parsed(signature, completion, self._tags, type(self).__name__)

    def format_user_message_content(
        self,
        signature: type[dspy.Signature],
        inputs: dict[str, Any],
        prefix: str = "",
        suffix: str = "",
        main_request: bool = False,
    ) -> str:
        """The inputs between tags; what a model wrote has none of them in it."""
        shown = {
            name: without_tags(value, list(signature.fields)) if self._foreign(signature, name, value) else value
            for name, value in inputs.items()
        }
        return str(super().format_user_message_content(signature, shown, prefix, suffix, main_request))

    @staticmethod
    def _foreign(signature: type[dspy.Signature], name: str, value: Any) -> bool:
        """Whether an input is a text that other calls have written."""
        return isinstance(value, str) and role_of(signature.input_fields.get(name)) in ("workspace", "drafts", "draft")

    def _tags(self, signature: type[dspy.Signature], text: str) -> dict[str, Any]:
        try:
            elements = list(ElementTree.fromstring(f"<all>{text}</all>"))
        except ElementTree.ParseError as error:
            raise ValueError(str(error)) from None
        for element in elements:
            kind = signature.output_fields.get(element.tag)
            if kind is not None and kind.annotation is not str and not len(element):
                repaired(element.text or "")  # as DSPy will, in whatever time that takes
        return _strictly(super().parse, signature, text)


def _strictly(parse: Any, signature: type[dspy.Signature], text: str) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = parse(signature, text)
    except AdapterParseError as error:
        raise ValueError(str(error)) from None
    _no_placeholder(fields)
    return fields


def _no_placeholder(fields: dict[str, Any]) -> None:
    if any(isinstance(value, str) and _PLACEHOLDER.match(value.strip()) for value in fields.values()):
        raise ValueError("a copy of the prompt's placeholder")


def field_is_text(signature: type[dspy.Signature], name: str) -> bool:
    """Whether an output field holds text."""
    return signature.output_fields[name].annotation is str


def _between_markers(signature: type[dspy.Signature], text: str) -> dict[str, Any]:
    """The fields of the first completed answer; of a field that is there twice the last one, as it corrects the other.

    Raises:
        ValueError: a field is missing, or is not of its type.
    """
    problem = ValueError("no marker")
    for part in text.split(_COMPLETED)[:8]:
        marks = list(_MARKER.finditer(part))
        found: dict[str, Any] = {}
        try:
            for i, mark in enumerate(marks):
                end = marks[i + 1].start() if i + 1 < len(marks) else len(part)
                value = part[mark.end() : end].strip()
                if mark[1] in signature.output_fields and not _PLACEHOLDER.match(value):
                    found[mark[1]] = strict(value, signature.output_fields[mark[1]].annotation)
        except ValueError as error:
            problem = error
            continue
        if found.keys() == signature.output_fields.keys():
            return {name: found[name] for name in signature.output_fields}
    raise problem
