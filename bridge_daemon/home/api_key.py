"""The API key: the environment, else the keyring of the operating system, else a closed file in the home.

All calls may block: call them through ``asyncio.to_thread``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from bridge_daemon.errors import KeyTrouble
from bridge_daemon.home.secrets import SecretStore, Where
from bridge_daemon.util.redact import mask

if TYPE_CHECKING:
    from bridge_daemon.home.paths import Home

__all__ = ["Key", "KeyStore", "Where", "check", "mask"]

VARIABLE: Final = "EMPIRIOLABS_API_KEY"
USER: Final = "empiriolabs"
SHORTEST: Final = 8
LONGEST: Final = 512


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """The API key and where it was found. No form of printing shows it."""

    value: str = field()
    where: Where

    def __repr__(self) -> str:
        return f"Key({mask(self.value)}, {self.where})"

    __str__ = __repr__


def check(value: str) -> str:
    """Return the key without white space around it.

    Raises:
        ValueError: it cannot be a key; the message says why, and does not show it.
    """
    value = value.strip()
    if not SHORTEST <= len(value) <= LONGEST:
        raise ValueError(f"it must have {SHORTEST} to {LONGEST} characters, this has {len(value)}")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("there are spaces, line breaks or special characters in it; was something else copied too?")
    return value


class KeyStore:
    """Where the key of one home is kept: the environment, else the store of the home's secrets."""

    def __init__(self, home: Home, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._store = SecretStore(
            user=USER,
            file=home.key_file,
            what="The API key",
            unknown="Whether there is an API key is not known, so nothing is sent.",
            next=f"Unlock the keyring and try again, or set {VARIABLE}.",
        )

    def get(self) -> Key | None:
        """Return the key; None when there certainly is none.

        Raises:
            KeyTrouble: a store is there and cannot be read, or what it holds is no key.
        """
        if given := self._environ.get(VARIABLE, "").strip():
            return _found(given, "environment", f"The environment variable {VARIABLE}")
        kept = self._store.get()
        if kept is None:
            return None
        value, where = kept
        name = "The keyring's entry for daw-bridge" if where == "keyring" else f"The file {self._store.file}"
        return _found(value, where, name)

    def set(self, value: str) -> Where:
        """Keep the key in the keyring, or in the closed file if this machine has no keyring. Tell which.

        Raises:
            ValueError: it cannot be a key.
            KeyTrouble: the keyring is there and does not take it, or the file cannot be written.
        """
        return self._store.set(check(value))

    def clear(self) -> list[Where]:
        """Forget the key and tell where it was kept. One in the environment stays: it is not ours to take away.

        Raises:
            KeyTrouble: the keyring is there and does not let it go.
        """
        return self._store.clear()


def _found(value: str, where: Where, name: str) -> Key:
    try:
        return Key(check(value), where)
    except ValueError as error:
        raise KeyTrouble(f"{name} does not hold an API key: {error}.") from None
