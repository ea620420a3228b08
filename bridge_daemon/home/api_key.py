"""The API key: the environment, else the keyring of the operating system, else a closed file in the home.

"No key" and "the store cannot be read" are different things. A locked keyring must never look like "no key": with
``engine = "auto"`` that would silently make sketches of what was meant for the cloud.

All calls may block (a keyring may ask the person to unlock it): call them through ``asyncio.to_thread``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from bridge_daemon.errors import HomeUnsafe, KeyTrouble
from bridge_daemon.util.files import write_whole
from bridge_daemon.util.redact import mask, redact
from bridge_daemon.util.secret_file import read_secret

if TYPE_CHECKING:
    from types import ModuleType

    from bridge_daemon.home.paths import Home

__all__ = ["Key", "KeyStore", "Where", "check", "mask"]

VARIABLE: Final = "EMPIRIOLABS_API_KEY"
SERVICE: Final = "daw-bridge"
USER: Final = "empiriolabs"
SHORTEST: Final = 8
LONGEST: Final = 512
Where = Literal["environment", "keyring", "file"]


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
    """Where the key of one home is kept."""

    def __init__(self, home: Home, environ: Mapping[str, str] = os.environ) -> None:
        self._home = home
        self._environ = environ

    def get(self) -> Key | None:
        """Return the key; None when there certainly is none.

        Raises:
            KeyTrouble: a store is there and cannot be read, or what it holds is no key.
        """
        if given := self._environ.get(VARIABLE, "").strip():
            return _found(given, "environment", f"The environment variable {VARIABLE}")
        if kept := from_keyring(USER):
            return _found(kept, "keyring", "The keyring's entry for daw-bridge")
        path = self._home.key_file
        try:
            if not path.exists() and not path.is_symlink():
                return None
            return _found(read_secret(path), "file", f"The file {path}")
        except HomeUnsafe as error:
            raise KeyTrouble(f"The API key cannot be used. {error.message}", next=error.next_step) from error
        except OSError as error:
            raise KeyTrouble(f"The API key cannot be read: {error}.") from error

    def set(self, value: str) -> Where:
        """Keep the key in the keyring, or in the closed file where this machine has no keyring. Tell which.

        Raises:
            ValueError: it cannot be a key.
            KeyTrouble: the keyring is there and does not take it, or the file cannot be written.
        """
        value = check(value)
        if into_keyring(USER, value):
            self._home.key_file.unlink(missing_ok=True)  # an older key must not come back when the keyring is away
            return "keyring"
        try:
            write_whole(self._home.key_file, value.encode("ascii"), point="key")
        except OSError as error:
            raise KeyTrouble(f"The API key cannot be kept: {error}.") from error
        return "file"

    def clear(self) -> list[Where]:
        """Forget the key and tell where it was kept. One in the environment stays: it is not ours to take away.

        Raises:
            KeyTrouble: the keyring is there and does not let it go.
        """
        cleared: list[Where] = []
        if from_keyring(USER) is not None:
            out_of_keyring(USER)
            cleared.append("keyring")
        if self._home.key_file.exists() or self._home.key_file.is_symlink():
            self._home.key_file.unlink()
            cleared.append("file")
        return cleared


def from_keyring(user: str) -> str | None:
    """Return one of our entries in the keyring, None where there is none. Raises KeyTrouble."""
    keyring = _keyring()
    try:
        kept: str | None = keyring.get_password(SERVICE, user)
    except keyring.errors.NoKeyringError:
        return None
    except Exception as error:  # each backend has errors of its own, and not all are KeyringError
        raise _trouble("cannot be read", error) from error
    return kept


def into_keyring(user: str, value: str) -> bool:
    """Keep an entry in the keyring; False when this machine has none (or one that keeps nothing). Raises KeyTrouble."""
    keyring = _keyring()
    try:
        keyring.set_password(SERVICE, user, value)
        return bool(keyring.get_password(SERVICE, user) == value)  # the null backend takes all and keeps nothing
    except keyring.errors.NoKeyringError:
        return False
    except Exception as error:
        raise _trouble("does not take the key", error) from error


def out_of_keyring(user: str) -> None:
    """Remove an entry from the keyring. Raises KeyTrouble."""
    try:
        _keyring().delete_password(SERVICE, user)
    except Exception as error:
        raise _trouble("does not remove the key", error) from error


def _keyring() -> ModuleType:
    # 0.1 s to load; most commands never ask for the key
    try:
        import keyring
        import keyring.errors
    except Exception as error:  # a broken backend raises whatever it likes while it is being loaded
        raise _trouble("cannot be loaded", error) from error
    return keyring


def _trouble(what: str, error: Exception) -> KeyTrouble:
    reason = f"{type(error).__name__}: {redact(str(error))}"
    return KeyTrouble(
        f"The keyring of this machine {what} ({reason}). Whether there is an API key is not known, so nothing is sent.",
        next=f"Unlock the keyring and try again, or set {VARIABLE}.",
    )


def _found(value: str, where: Where, name: str) -> Key:
    try:
        return Key(check(value), where)
    except ValueError as error:
        raise KeyTrouble(f"{name} does not hold an API key: {error}.") from None
