"""The problems that are trained on, from the configuration's data."""

from __future__ import annotations

from itertools import chain, zip_longest

from experiments.configuration import ConfigError
from experiments.training.config import Data
from pdr_dspy.data import Dataset, load_data
from pdr_dspy.data_options import told


def problems_of(data: Data) -> Dataset:
    """All problems of a configuration, those of several specs in turns.

    Raises:
        DataError: a spec can't be read.
        ConfigError: specs of different kinds.
    """
    reading = data.model_dump(exclude={"specs"})
    sets = [told(load_data(spec, **reading)) for spec in data.specs]
    if len({(each.grader.name, str(each.signature)) for each in sets}) > 1:
        raise ConfigError("data.specs", "they have different fields or graders", "Train on one kind at a time")
    turns = chain.from_iterable(zip_longest(*(each.problems for each in sets)))
    return sets[0].with_problems((p for p in turns if p is not None), name=" + ".join(data.specs))
