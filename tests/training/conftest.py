"""Where training is to be tested, what it needs is no reason to skip."""

from __future__ import annotations

import os

if os.environ.get("PDR_TRAIN_REQUIRED"):
    import torch
    import trl
    import verl

    assert torch.__version__ and trl.__version__ and verl.__version__
