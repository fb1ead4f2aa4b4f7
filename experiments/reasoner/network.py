"""The embedded server's network for new numbers: OpenVINO's model of the same shape, with other constants.

Nothing is converted, so neither optimum nor its versions are needed. Another shape: `experiments.reasoner.export`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from pdr_dspy.embedded.model import NETWORK
from pdr_dspy.errors import EndpointError

WEIGHTS = "model.safetensors"
SHIPPED = Path(__file__).resolve().parents[2] / "pdr_dspy" / "embedded" / "weights"
"""The model that the library ships."""


def same_shape(origin: Path, target: Path) -> bool:
    """Whether `write_network` can do it: the origin has a network, and the weights' names and shapes are its own."""
    from safetensors.numpy import load_file

    if not all((origin / name).is_file() for name in (WEIGHTS, *NETWORK)):
        return False
    return _shapes(load_file(origin / WEIGHTS)) == _shapes(load_file(target / WEIGHTS))


def _shapes(weights: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]]:
    return {name: value.shape for name, value in weights.items()}


def write_network(origin: Path, target: Path) -> None:
    """Put the embedded server's network beside a model of the same shape.

    Both files of the target then hold the same numbers, rounded to fp16 once.

    Args:
        origin: A folder that the embedded server loads.
        target: A folder with `model.safetensors` of the same names and shapes.

    Raises:
        EndpointError: the shapes differ.
    """
    import openvino
    from openvino import opset13 as opset
    from safetensors.numpy import load_file, save_file

    old, new = load_file(origin / WEIGHTS), load_file(target / WEIGHTS)
    tied = {name: value for name, value in new.items() if name in old}
    if _shapes(old) != _shapes(tied):
        mend = "Convert it with experiments.reasoner.export"
        raise EndpointError("weights", f"{target} has another shape than {origin}", mend)
    rounded = {name: value.astype(np.float16) for name, value in tied.items()}
    network = openvino.Core().read_model(origin / NETWORK[0])
    left = dict(old)
    for op in network.get_ops():
        if op.get_type_name() != "Constant" or op.get_element_type() != openvino.Type.f16:
            continue
        data = op.get_data()
        name = next((n for n, v in left.items() if np.array_equal(v.ravel(), data.ravel())), None)
        if name is None:
            continue
        del left[name]
        constant = opset.constant(rounded[name].reshape(data.shape), dtype=np.float16)
        constant.set_friendly_name(op.get_friendly_name())
        for use in op.output(0).get_target_inputs():
            use.replace_source_output(constant.output(0))
    if left:
        raise EndpointError("weights", f"{origin} has a network without {sorted(left)[0]}", "Use the shipped weights")
    save_file(rounded, target / WEIGHTS, metadata={"format": "pt"})
    with tempfile.TemporaryDirectory() as scratch:  # the network read may be the one that is replaced
        openvino.save_model(network, Path(scratch) / NETWORK[0], compress_to_fp16=False)
        for file in NETWORK:
            shutil.copy(Path(scratch) / file, target / file)
