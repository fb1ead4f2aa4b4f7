"""Several answers in one: their names, their order, the components of a vector. Pure."""

from __future__ import annotations

from pdr_dspy.answers.linear import directions
from pdr_dspy.answers.nodes import Group, Named, Node, Scalar


def labelled(group: Group) -> bool:
    """Whether each item has a name of its own."""
    names = {item.name for item in group.items if isinstance(item, Named)}
    return len(names) == len(group.items) > 1


def components(scalar: Scalar, count: int) -> Node:
    """`3i - j + 2k` as the vector it is; any other expression as it stands."""
    parts = directions(scalar.text, count) if scalar.unit is None and scalar.value is None else None
    return scalar if parts is None else Group(tuple(Scalar(str(part), part) for part in parts), "(")


def ordered(one: str, other: str, count: int) -> bool | None:
    """Whether the order counts between two shapes; None where they exclude each other."""
    shapes = {one, other}
    if shapes == {"(", "{"} or (shapes in ({"[", "{"}, {"(", "["}) and count == 2):
        return None
    return "(" in shapes or shapes == {"["}
