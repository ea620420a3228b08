"""Places where a test can end the process the hard way, as a crash or a power cut would.

A failpoint stands at each commit, file operation and socket write between a press and its take. In use it costs one
comparison. Two environment variables switch it on, both for tests only:

``DAW_BRIDGE_FAILPOINT=name:n``
    the n-th time that ``name`` is passed, the process ends at once (``os._exit``: no handler, no flush, no goodbye).
``DAW_BRIDGE_FAILPOINT_LOG=path``
    each name passed is appended to that file, which is how ``tests/faults`` learns which points there are to walk.
"""

from __future__ import annotations

import os
from collections import Counter

EXIT_CODE = 137  # as a process ended by SIGKILL

_target: tuple[str, int] | None = None
_log: str | None = None
_passed: Counter[str] = Counter()


def arm(target: str | None, log: str | None) -> None:
    """Switch failpoints on: ``target`` is ``name:n``, ``log`` the path of the file that names are appended to."""
    global _target, _log
    name, _, count = (target or "").rpartition(":")
    _target = (name, int(count)) if target else None
    _log = log


arm(os.environ.get("DAW_BRIDGE_FAILPOINT"), os.environ.get("DAW_BRIDGE_FAILPOINT_LOG"))


def failpoint(name: str) -> None:
    """Pass the point ``name``; end the process here when a test asked for it."""
    if _target is None and _log is None:
        return
    _passed[name] += 1
    if _log is not None:
        with open(_log, "a", encoding="utf-8") as log:
            log.write(name + "\n")
    if _target == (name, _passed[name]):
        os._exit(EXIT_CODE)
