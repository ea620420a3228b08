"""Names in a watched folder: which are renders, which are sidecars, and which are nobody's business."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from typing import Final

from bridge_daemon.domain.sound_files import is_render

__all__ = [
    "LOCK",
    "error_note",
    "is_ours",
    "is_render",
    "is_text",
    "key",
    "keys",
    "sidecar_of",
    "sidecars",
]

#: Held by the daemon that watches the folder.
LOCK: Final = ".daw-bridge.lock"
_SIDECAR: Final = re.compile(r"(?s)(.+)\.bridge\.(toml|json)", re.IGNORECASE)


def is_text(name: str) -> bool:
    """Return whether a name is Unicode; other names cannot be written into the journal, nor sent."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def sidecar_of(name: str) -> str | None:
    """Return what a sidecar belongs to: ``drums.bridge.toml`` → drums, ``drums.wav.bridge.json`` → drums.wav."""
    match = None if name.startswith(".") else _SIDECAR.fullmatch(name)
    return key(match[1]) if match else None


def is_ours(name: str) -> bool:
    """Return whether the name matters to us at all."""
    return is_render(name) or sidecar_of(name) is not None


def key(name: str) -> str:
    """Return what two spellings of a name have in common: macOS takes é apart, and people do not see the difference."""
    return unicodedata.normalize("NFC", name)


def _apart(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def keys(name: str) -> tuple[str, str]:
    """Return the two keys that a render's sidecar may have: its name with and without the ending."""
    return key(name), key(PurePath(name).stem)


def sidecars(name: str) -> tuple[str, ...]:
    """Return every name that a render's sidecar may have on the disk."""
    stems = (name, PurePath(name).stem)
    spelled = dict.fromkeys(form(stem) for stem in stems for form in (str, key, _apart))
    return tuple(f"{stem}.bridge.{kind}" for stem in spelled for kind in ("toml", "json"))


def error_note(name: str) -> str:
    """Return the name of the file that tells what is wrong with a render's sidecar."""
    return f"{name}.bridge.error.txt"
