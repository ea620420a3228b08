"""Sessions of the page: a one-time code opens one, a cookie carries it, and all of them die with the token.

The token itself never gets into a browser: not into an address, not into its history, not within reach of a script.
A page that is open comes back by itself when the bridge was restarted: digests of the sessions are kept in the home.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
from pathlib import Path
from typing import Final

from bridge_daemon.util.files import write_whole
from bridge_daemon.util.times import Times

log = logging.getLogger(__name__)

CODE_LIFE: Final = 60.0  # s
SESSION_LIFE: Final = 86_400.0  # s
_MOST_CODES: Final = 16
_MOST_SESSIONS: Final = 64


def _digest(secret: str) -> bytes:
    # The tables hold digests: how long a look-up takes then tells nothing about the secrets in them.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Sessions:
    """Codes that wait to be used, and the sessions that they opened."""

    def __init__(self, times: Times, file: Path | None = None) -> None:
        """``file`` keeps the sessions over a restart; without one they end with the process."""
        self._times = times
        self._file = file
        self._saving = asyncio.Lock()
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

    async def load(self, token: str) -> None:
        """Take back the sessions that a process before this one opened under the same token."""
        if self._file is None:
            return
        try:
            kept = json.loads(await asyncio.to_thread(self._file.read_bytes))
            if kept["token"] != _digest(token).hex():
                return
            ends = {bytes.fromhex(key): float(end) for key, end in kept["sessions"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            log.warning("%s cannot be read; browsers have to sign in again.", self._file)
            return
        now, wall = self._times.monotonic(), self._times.now()
        # a clock that was set back prolongs nothing beyond a whole life
        left = {key: min(end - wall, SESSION_LIFE) for key, end in ends.items()}
        self._open |= {key: now + life for key, life in list(left.items())[-_MOST_SESSIONS:] if life > 0}

    async def save(self, token: str) -> None:
        """Keep the sessions that are open now. A disk that is full costs a sign-in after the next start, no more."""
        if self._file is None:
            return
        async with self._saving:
            offset = self._times.now() - self._times.monotonic()
            sessions = {key.hex(): end + offset for key, end in self._open.items()}
            data = json.dumps({"token": _digest(token).hex(), "sessions": sessions}).encode()
            try:
                await asyncio.to_thread(write_whole, self._file, data, point="sessions", durable=False)
            except OSError as error:
                log.warning("The sessions of browsers could not be kept in %s: %s", self._file, error.strerror or error)

    def _add(self, table: dict[bytes, float], life: float, most: int) -> str:
        now = self._times.monotonic()
        for key in [key for key, end in table.items() if end <= now]:
            del table[key]
        while len(table) >= most:
            del table[next(iter(table))]
        secret = secrets.token_urlsafe(32)
        table[_digest(secret)] = now + life
        return secret
