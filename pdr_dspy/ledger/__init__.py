"""The ledger: a record for every attempt at a call, and the meters that are sums over them.

Records are made at the LM boundary from what the server said. The meters are the paper's two (section 1.1 of arXiv
2510.01123: `B_seq` along the accepted path, `B_total` over everything, both in + out) and its nominal ones (calls
times thinking budget, what its plots use), generated tokens apart, and seconds along the critical path.

What is on the accepted path: of every sequential step the call that took the most tokens (the parallel ones beside it
cost no latency), so a path is at least as long as the one whose answer was returned. What is not counted: tokens of a
cancelled or failed attempt when the server did not report them (vLLM reports none). `unreported` says how many such
attempts there were, and `uncounted_at_most` how many tokens they may have generated: what the server generated is
between `fresh_generated` and both together. An answer whose usage is missing, or can't be true, is counted by the
tokenizer (`estimated`; where that counts bytes, an upper bound). Time spent waiting for the client's own limiter is not
latency.

A call whose thinking was stopped at its cap and continued by a second request is one call (the nominal meters count its
thinking budget once) with the tokens and seconds of both requests.
"""

from __future__ import annotations

from pdr_dspy.ledger.meters import Meters, meters, path_seconds
from pdr_dspy.ledger.recording import Ledger, open_ledger, record
from pdr_dspy.ledger.records import PROBE, REFUSED, CallRecord

__all__ = ["PROBE", "REFUSED", "CallRecord", "Ledger", "Meters", "meters", "open_ledger", "path_seconds", "record"]
