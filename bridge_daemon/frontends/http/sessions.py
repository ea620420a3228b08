"""Sessions of the page: a one-time code opens one, a cookie carries it, and all of them die with the process.

The token itself never gets into a browser: not into an address, not into its history, not within reach of a script.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from bridge_daemon.util.times import Times

CODE_LIFE: Final = 60.0  # s
SESSION_LIFE: Final = 86_400.0  # s
_MOST_CODES: Final = 16
_MOST_SESSIONS: Final = 64


def _digest(secret: str) -> bytes:
    # The tables hold digests: how long a look-up takes then tells nothing about the secrets in them.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Sessions:
    """Codes that wait to be used, and the sessions that they opened."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._codes: dict[bytes, float] = {}  # digest → end, oldest first
        self._open: dict[bytes, float] = {}

    def new_code(self) -> str:
        """Make a code that opens one session within 60 s."""
        return self._add(self._codes, CODE_LIFE, _MOST_CODES)

    def redeem(self, code: str) -> str | None:
        """Open a session for a code, which is used up by this; None when it is unknown, used or too old."""
        end = self._codes.pop(_digest(code), None)
        if end is None or end <= self._times.monotonic():
            return None
        return self._add(self._open, SESSION_LIFE, _MOST_SESSIONS)

    def holds(self, session: str) -> bool:
        """Tell whether a session is open."""
        key = _digest(session)
        end = self._open.get(key)
        if end is None:
            return False
        if end <= self._times.monotonic():
            del self._open[key]
            return False
        return True

    def end(self, session: str) -> bool:
        """Close a session; tell whether it was open."""
        held = self.holds(session)
        self._open.pop(_digest(session), None)
        return held

    def end_all(self) -> None:
        """Close every session and forget every code: the token that they came from is another one."""
        self._codes.clear()
        self._open.clear()

    def _add(self, table: dict[bytes, float], life: float, most: int) -> str:
        now = self._times.monotonic()
        for key in [key for key, end in table.items() if end <= now]:
            del table[key]
        while len(table) >= most:
            del table[next(iter(table))]
        secret = secrets.token_urlsafe(32)
        table[_digest(secret)] = now + life
        return secret
