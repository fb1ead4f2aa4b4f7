"""The claim the project stands on, on the embedded reasoner: PDR above long CoT for no more tokens in a row."""

from __future__ import annotations

import pytest

from experiments.questions.config import load_config
from experiments.questions.strategies import at_levels
from pdr_dspy import bridge
from pdr_dspy.data import load_data
from pdr_dspy.embedded.launch import start
from pdr_dspy.endpoint import Endpoint, EndpointSettings
from pdr_dspy.evaluation import Evaluation, evaluate
from pdr_dspy.modules import PDR

pytestmark = [pytest.mark.slow, pytest.mark.embedded]


def test_pdr_is_above_long_cot_at_matched_sequential_tokens() -> None:
    config = load_config("embedded")
    # Six lines: of four, one long chain gets most right by itself, and little is left to tell.
    (part,) = (part for part in config.frontier if part.set == "K6")
    # Other worksheets than those of the published table.
    data = load_data("worksheets:lines=6,count=300,split=report,seed=11")
    flows = {w.name: w for family in part.families.values() for w in at_levels(config, "K6", family)}
    with (
        start(api_key="") as server,
        Endpoint.open(EndpointSettings(urls=(server.base_url,), load=config.load)) as endpoint,
    ):

        def run(name: str) -> Evaluation:
            return bridge.run(evaluate(PDR(data.signature, flows[name]), data, lm=endpoint.lm))

        pdr, cot = run("pdr_8"), run("long_cot_896")
    assert pdr.mean("seq_generated") <= 1.03 * cot.mean("seq_generated")
    gain = pdr.compared_with(cot)  # paired: the same problems
    assert gain.interval.low > 0, (cot.accuracy, pdr.accuracy)
