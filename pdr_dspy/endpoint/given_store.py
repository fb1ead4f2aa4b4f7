"""Where completions are kept, as the user says it, read once."""

from __future__ import annotations

import os
from typing import Any, cast

from pdr_dspy.endpoint.file_store import FileStore
from pdr_dspy.endpoint.store import Store
from pdr_dspy.errors import EndpointError

GivenStore = Store | str | os.PathLike[str] | None
"""A store: itself, the directory of a `FileStore`, or None: nothing is kept."""

_MEND = 'Give a directory ("store"), a FileStore, a MemoryStore(), or leave it out'


def given_store(store: Any) -> Store | None:
    """A store from whatever says it (`GivenStore`).

    Raises:
        EndpointError: it is none.
        InputError: the directory can't be made or read.
    """
    if isinstance(store, str | os.PathLike):
        path = os.fspath(store)
        if not isinstance(path, str) or not path.strip() or "\0" in path:
            raise EndpointError("store", f"{path!r:.60} is no directory", _MEND)
        return FileStore(path)
    if store is None or _is_store(store):
        return cast(Store | None, store)
    what = f"the class {store.__name__}" if isinstance(store, type) else f"a {type(store).__name__}"
    raise EndpointError("store", f"{what} is no store", _MEND)


def _is_store(store: Any) -> bool:
    return not isinstance(store, type) and all(
        callable(getattr(store, name, None)) for name in ("get", "put", "reject")
    )
