"""How freed memory is kept: a training allocates and frees the same large tensors at every step."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
_BYTES = 2**30  # no tensor of these trainings is larger
_MOST = 2**31 - 1  # what a C int can say


def keep_freed_pages() -> bool:
    """Have this process keep the pages of freed tensors for the next ones; a sixth of a step goes otherwise.

    glibc gives them back to the system after each large tensor, and has every page cleared again for the next.

    Returns:
        Whether the C library could be told (glibc alone can).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _BYTES)) and bool(mallopt(_TRIM_THRESHOLD, _MOST))
