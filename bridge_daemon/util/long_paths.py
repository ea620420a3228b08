"""Paths that Windows does not take: of more than 259 characters, unless it was told to (``LongPathsEnabled``).

What is too long is said before money is spent, and in words: Windows itself says that there is no such file.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Final

MOST: Final = 259
#: What a take, its original and their parts add to the folder that they are made in.
FOR_A_TAKE: Final = 140
#: What the longest name adds to the home.
IN_HOME: Final = 120
WHAT: Final = f"the path is longer than the {MOST} characters that Windows takes"


def is_too_long(path: Path, room: int = 0) -> bool:
    """Return whether the system does not take a path with ``room`` characters more; False on other systems."""
    return is_limited() and len(os.path.abspath(path)) + room > MOST  # noqa: PTH100 - it resolves ".."


def check(path: Path) -> None:
    """Raise OSError for a path that is too long."""
    if is_too_long(path):
        raise OSError(errno.ENAMETOOLONG, WHAT, str(path))


def is_limited() -> bool:
    """Return whether this process has the limit."""
    if sys.platform == "win32":
        import ctypes

        try:
            return not ctypes.WinDLL("ntdll").RtlAreLongPathsEnabled()
        except AttributeError:  # wine, which has no limit; and Windows before 10, which then says it in its own words
            return False
    return False
