"""The agent's process as the operating system sees it: what start-up left behind is given back before reading begins.

Importing and building takes tens of megabytes that are freed at once but stay with the C library; and a collector that
walks every module's objects again and again finds nothing there. Neither changes what the agent does.
"""

import ctypes
import gc
import sys

_YOUNG, _MIDDLE, _OLD = 100_000, 20, 20  # readings die by their reference count: the collector need not look so often


def settle() -> None:
    """Take what lives now out of the collector's walks; return free memory to the system (glibc only)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
    if trim is not None:
        trim(0)
