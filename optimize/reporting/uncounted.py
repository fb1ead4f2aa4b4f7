"""What was generated and nobody was told of, in a line: at most, and as the server counts."""

from __future__ import annotations

from dataclasses import dataclass

from optimize.reporting.numbers import amount
from pdr_dspy.endpoint import Endpoint, EndpointStats
from pdr_dspy.endpoint.served import crossed


@dataclass(frozen=True)
class Reading:
    """What both sides have counted at one moment.

    Attributes:
        ours: What the endpoint was told of.
        served: What the servers say that they have generated since they started; None where they don't.
    """

    ours: EndpointStats
    served: int | None


def reading(endpoint: Endpoint) -> Reading:
    """Both sides' counts now. Asks the servers."""
    return Reading(endpoint.stats, endpoint.served())


def lost(before: Reading, after: Reading) -> str:
    """The line for what happened between two readings; "" where every answer arrived."""
    at_most = after.ours.uncounted_at_most - before.ours.uncounted_at_most
    if not at_most:
        return ""
    counted = after.ours.fresh_tokens - before.ours.fresh_tokens
    number = crossed(before.served, after.served, counted, at_most)
    said = "" if number is None else f" (the server counts {amount(number)}, if nobody else has used it)"
    return f"at most {amount(at_most)} tokens of calls that were cut off or whose answer was lost{said}"
