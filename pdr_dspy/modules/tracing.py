"""What a run leaves in DSPy's trace, which optimisers make demonstrations and feedback of.

Their metric sees the run's answer alone. A draft with another answer is no example of what the metric said of that one:
where the answer is right it would be shown as right, and it is wrong. So of drafts and refinements those stay that give
the answer which was accepted. Where the call is tagged with its problem (`pdr_dspy.calls.tagged`), whoever reads the
trace grades each draft, and all stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dspy

from pdr_dspy.calls import current_tag
from pdr_dspy.modules.records import Draft
from pdr_dspy.modules.votes import Ballot, alike

Entry = tuple[Any, dict[str, Any], dspy.Prediction]
"""A predictor, its inputs, and what it gave."""


def is_traced() -> bool:
    """Whether somebody who sees the run's answer alone collects the trace; DSPy's own, for everything, is nobody's."""
    from dspy.dsp.utils.settings import main_thread_config

    trace = dspy.settings.trace
    return trace is not None and trace is not main_thread_config.get("trace") and not current_tag().problem


async def agreeing(
    trace: Sequence[Entry], drafting: Sequence[dspy.Predict], accepted: Draft, ballot: Ballot
) -> list[Entry]:
    """The trace of a run without the drafts that give another answer than the accepted one.

    Args:
        trace: The run's.
        drafting: The predictors that write drafts and refinements.
        accepted: The draft that was accepted.
        ballot: When two answers are the same.
    """
    places = [n for n, (predictor, _, _) in enumerate(trace) if any(predictor is each for each in drafting)]
    drafts = [Draft(n, "", {name: trace[n][2].get(name) for name in ballot.equal}) for n in places]
    same = await alike(drafts, accepted, ballot)
    others = {n for n, agrees in zip(places, same, strict=True) if not agrees}
    return [entry for n, entry in enumerate(trace) if n not in others]
