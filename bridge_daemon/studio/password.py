"""The password of the studio's database: in the keyring, or in a closed file. libpq reads PGPASSFILE by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bridge_daemon.home.secrets import SecretStore

if TYPE_CHECKING:
    from bridge_daemon.home.paths import Home

USER: Final = "studio"


def store(home: Home) -> SecretStore:
    """Return where the password of one home's studio is kept."""
    return SecretStore(
        user=USER,
        file=home.studio_password_file,
        what="What is kept as the password of the studio's database",
        unknown="So the journal of the studio cannot be used.",
        next="Unlock the keyring, or: daw-bridge key studio",
    )
