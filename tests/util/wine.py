"""Whether this Windows is wine, and what is not tested in it for its own sake."""

from __future__ import annotations

import sys

import pytest


def is_wine() -> bool:
    """Tell whether this is wine, which has a function for the question."""
    if sys.platform != "win32":
        return False
    import ctypes

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def many(number: int) -> int:
    """Return how many files a test makes that makes many: in wine, which needs milliseconds for each, a tenth."""
    return number // 10 if is_wine() else number


NO_IPV6 = pytest.mark.skipif(is_wine(), reason="datagrams over IPv6 fail in wine")
SLOW_DATAGRAMS = pytest.mark.skipif(is_wine(), reason="wine needs so long for a datagram that most of a flood are lost")
NO_OWNERS = pytest.mark.skipif(is_wine(), reason="wine tells of no port which program holds it")
REUSED_NUMBERS = pytest.mark.skipif(
    is_wine(), reason="wine numbers files as Linux does, which gives the number of a removed file to the next one"
)
