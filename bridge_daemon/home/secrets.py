"""One secret of a home: in the keyring of the operating system, else in a closed file.

"No secret" and "the store cannot be read" are different things. A locked keyring must never look like "no key": with
``engine = "auto"`` that would silently make sketches of what was meant for the cloud.

All calls may block (a keyring may ask the person to unlock it): call them through ``asyncio.to_thread``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from bridge_daemon.errors import HomeUnsafe, KeyTrouble
from bridge_daemon.util.files import remove, write_whole
from bridge_daemon.util.redact import redact
from bridge_daemon.util.secret_file import read_secret

if TYPE_CHECKING:
    from types import ModuleType

SERVICE: Final = "daw-bridge"
Where = Literal["environment", "keyring", "file"]


@dataclass(frozen=True, slots=True)
class SecretStore:
    """Where one secret is kept."""

    user: str  #: its entry in the keyring
    file: Path  #: for machines without a keyring
    what: str  #: in messages, with a capital letter
    unknown: str  #: what follows if the store cannot be read: one sentence
    next: str  #: what to do then

    def get(self) -> tuple[str, Where] | None:
        """Return the secret and where it was found, None if there certainly is none. Raises KeyTrouble."""
        if kept := self._from_keyring():
            return kept, "keyring"
        try:
            if not self.file.exists() and not self.file.is_symlink():
                return None
            return read_secret(self.file), "file"
        except HomeUnsafe as error:
            raise KeyTrouble(f"{self.what} cannot be used. {error.message}", next=error.next_step) from error
        except OSError as error:
            raise KeyTrouble(f"{self.what} cannot be read: {error}.", next=self.next) from error

    def set(self, value: str) -> Where:
        """Keep the secret and tell where. Raises KeyTrouble if neither the keyring nor the file takes it."""
        if self._into_keyring(value):
            remove(self.file, missing_ok=True)  # an older one must not come back when the keyring is away
            return "keyring"
        try:
            write_whole(self.file, value.encode(), point=self.file.stem.replace("-", "_"))
        except OSError as error:
            raise KeyTrouble(f"{self.what} cannot be kept: {error}.", next=self.next) from error
        return "file"

    def clear(self) -> list[Where]:
        """Forget the secret and tell where it was kept. Raises KeyTrouble if the keyring does not let it go."""
        cleared: list[Where] = []
        if self._from_keyring() is not None:
            self._out_of_keyring()
            cleared.append("keyring")
        if self.file.exists() or self.file.is_symlink():
            remove(self.file)
            cleared.append("file")
        return cleared

    def _from_keyring(self) -> str | None:
        keyring = self._keyring()
        try:
            kept: str | None = keyring.get_password(SERVICE, self.user)
        except keyring.errors.NoKeyringError:
            return None
        except Exception as error:  # each backend has errors of its own, and not all are KeyringError
            raise self._trouble("cannot be read", error) from error
        return kept

    def _into_keyring(self, value: str) -> bool:
        keyring = self._keyring()
        try:
            keyring.set_password(SERVICE, self.user, value)
            # the null backend takes all and keeps nothing
            return bool(keyring.get_password(SERVICE, self.user) == value)
        except keyring.errors.NoKeyringError:
            return False
        except Exception as error:
            raise self._trouble("does not take the secret", error) from error

    def _out_of_keyring(self) -> None:
        try:
            self._keyring().delete_password(SERVICE, self.user)
        except Exception as error:
            raise self._trouble("does not remove the secret", error) from error

    def _keyring(self) -> ModuleType:
        # 0.1 s to load; most commands never ask for a secret
        try:
            import keyring
            import keyring.errors
        except Exception as error:  # a broken backend raises whatever it likes while it is being loaded
            raise self._trouble("cannot be loaded", error) from error
        return keyring

    def _trouble(self, what: str, error: Exception) -> KeyTrouble:
        reason = f"{type(error).__name__}: {redact(str(error))}"
        return KeyTrouble(f"The keyring of this machine {what} ({reason}). {self.unknown}", next=self.next)
