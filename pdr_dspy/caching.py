"""DSPy's own cache of responses, which no command of this library uses.

On disk it keeps pickles (`diskcache`, CVE-2025-69872): whoever can write to `~/.dspy_cache` or `DSPY_CACHEDIR` has code
executed by the next program that reads an entry from it. Completions are kept in a store of JSON lines instead
(`FileStore`), replays of which count at their original tokens and seconds.

Importing this library changes nothing here: in a program of yours the cache is as you configure it.
"""

from __future__ import annotations

import dspy


def disable_cache() -> None:
    """Turn DSPy's cache off in this process, in memory and on disk. For commands, before their first call.

    No folder is made and none is opened, so that a missing or read-only home does no harm.
    """
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
