"""The credentials of the bucket for sources: where they are kept and found. Never in settings, argv, logs or journal.

Found in this order: the usual variables of AWS, the keyring of the system, a closed file in the home (for machines
without a keyring). Everything here may wait for a disk or a locked keyring; inside of the daemon it is called through
``asyncio.to_thread``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bridge_daemon.errors import KeyTrouble
from bridge_daemon.home.secrets import SecretStore, Where
from bridge_daemon.util.redact import mask

if TYPE_CHECKING:
    from bridge_daemon.home.paths import Home

ID_VARIABLE: Final = "AWS_ACCESS_KEY_ID"
SECRET_VARIABLE: Final = "AWS_SECRET_ACCESS_KEY"
TOKEN_VARIABLE: Final = "AWS_SESSION_TOKEN"
USER: Final = "s3"
_NEXT: Final = f"daw-bridge key s3, or set {ID_VARIABLE} and {SECRET_VARIABLE}."


@dataclass(frozen=True, slots=True, repr=False)
class S3Key:
    """The credentials of a bucket. No form of printing shows the secret."""

    access_key_id: str
    secret_access_key: str
    where: Where
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"S3Key({mask(self.access_key_id)}, {self.where})"

    __str__ = __repr__


def check(value: str, what: str) -> str:
    """Return one of the two without white space around it. Raises ValueError if it cannot be one."""
    value = value.strip()
    if not 3 <= len(value) <= 256 or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"the {what} must be 3 to 256 characters without spaces")
    return value


class S3KeyStore:
    """Where the credentials of one home's bucket are kept."""

    def __init__(self, home: Home, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._store = SecretStore(
            user=USER,
            file=home.s3_key_file,
            what="What is kept as credentials of the bucket",
            unknown="So the bucket cannot be used.",
            next=_NEXT,
        )

    def get(self) -> S3Key | None:
        """Return the credentials; None when there certainly are none. Raises KeyTrouble."""
        name, secret = (self._environ.get(each, "").strip() for each in (ID_VARIABLE, SECRET_VARIABLE))
        if name and secret:
            return S3Key(name, secret, "environment", self._environ.get(TOKEN_VARIABLE, "").strip() or None)
        kept = self._store.get()
        if kept is None:
            return None
        text, where = kept
        try:
            data = json.loads(text)
            found = check(data["access_key_id"], "id"), check(data["secret_access_key"], "secret")
        except (ValueError, KeyError, TypeError, AttributeError):  # not chained: the error carries the content
            raise KeyTrouble("What is kept as credentials of the bucket are none.", next=_NEXT) from None
        return S3Key(*found, where)

    def set(self, access_key_id: str, secret_access_key: str) -> Where:
        """Keep them in the keyring, or in the closed file if there is none. Raises ValueError, KeyTrouble."""
        data = {
            "access_key_id": check(access_key_id, "access key id"),
            "secret_access_key": check(secret_access_key, "secret access key"),
        }
        return self._store.set(json.dumps(data))

    def clear(self) -> list[Where]:
        """Forget them and tell where they were kept. Those in the environment stay. Raises KeyTrouble."""
        return self._store.clear()
