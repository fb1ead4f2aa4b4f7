"""What the workers of a study have settled between them, each for good.

Kept in a study of its own beside the search's, `<name> (workers)`, as failed trials: the storage numbers trials in one
order for everybody, so that of two who say something at the same instant everybody knows who was first.
"""

from __future__ import annotations

from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState

_FACT = "fact"


class Facts:
    """What was said, by kind.

    Args:
        storage: Where the study is.
        name: The study's name.
    """

    def __init__(self, storage: RDBStorage, name: str) -> None:
        self._study = optuna.create_study(storage=storage, study_name=f"{name} (workers)", load_if_exists=True)

    def facts(self, kind: str) -> list[Any]:
        """What was said of this kind, in one order for everybody."""
        found = self._study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        return [t.user_attrs[_FACT][1] for t in found if t.user_attrs.get(_FACT, [None])[0] == kind]

    def state(self, kind: str, value: Any) -> None:
        """Say something (plain JSON data), for good."""
        self._study.add_trial(optuna.trial.create_trial(state=TrialState.FAIL, user_attrs={_FACT: [kind, value]}))

    def settle(self, kind: str, value: Any) -> Any:
        """Say something if nothing of this kind was said; what all hold to, which is what was said first."""
        if not self.facts(kind):
            self.state(kind, value)
        return self.facts(kind)[0]
