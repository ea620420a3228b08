"""The credentials of a bucket: where they are looked for and kept, and that they are never shown."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail
from typer.testing import CliRunner

from bridge_daemon.cli.app import build
from bridge_daemon.errors import KeyTrouble
from bridge_daemon.home.paths import Home
from bridge_daemon.home.s3_key import S3KeyStore

ID, SECRET = "AKIAEXAMPLE1234567", "wJalrXUtnFEMI/K7MDENG+secret"


class Memory(keyring.backend.KeyringBackend):
    """A keyring that keeps its entries in a dict."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    return made


def test_the_environment_beats_the_keyring(home: Home) -> None:
    keyring.set_keyring(Memory())
    assert S3KeyStore(home, {}).get() is None
    assert S3KeyStore(home, {}).set(ID, SECRET) == "keyring"
    assert not home.s3_key_file.exists()
    kept = S3KeyStore(home, {}).get()
    assert kept is not None
    assert (kept.access_key_id, kept.secret_access_key, kept.where) == (ID, SECRET, "keyring")
    environ = {"AWS_ACCESS_KEY_ID": "other-id", "AWS_SECRET_ACCESS_KEY": "other-secret", "AWS_SESSION_TOKEN": "token"}
    found = S3KeyStore(home, environ).get()
    assert found is not None
    assert (found.access_key_id, found.session_token, found.where) == ("other-id", "token", "environment")
    assert S3KeyStore(home, {"AWS_ACCESS_KEY_ID": "half"}).get() == kept, "half of them is none"
    for text in (repr(kept), str(kept), f"{kept}"):
        assert SECRET not in text
        assert ID not in text
    assert S3KeyStore(home, {}).clear() == ["keyring"]
    assert S3KeyStore(home, {}).get() is None


def test_without_a_keyring_a_closed_file(home: Home) -> None:
    store = S3KeyStore(home, {})
    assert store.set(f" {ID}\n", f"{SECRET}\n") == "file"
    found = store.get()
    assert found is not None
    assert (found.access_key_id, found.secret_access_key) == (ID, SECRET)
    if os.name != "nt":
        assert stat.S_IMODE(home.s3_key_file.stat().st_mode) == 0o600
        home.s3_key_file.chmod(0o644)
        with pytest.raises(KeyTrouble, match="Other users"):
            store.get()
        home.s3_key_file.chmod(0o600)
    home.s3_key_file.write_text(f'{{"access_key_id": "{SECRET}"')
    with pytest.raises(KeyTrouble) as refused:
        store.get()
    assert SECRET not in str(refused.value.__context__) + refused.value.message
    assert store.clear() == ["file"]


@pytest.mark.parametrize(
    ("name", "secret"), [("", SECRET), (ID, ""), (ID, "a b c d"), ("é" * 9, SECRET), (ID, "x" * 300)]
)
def test_what_is_no_credential(home: Home, name: str, secret: str) -> None:
    with pytest.raises(ValueError, match="3 to 256"):
        S3KeyStore(home, {}).set(name, secret)


def test_the_command(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAW_BRIDGE_HOME", str(home.path))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ID}\n{SECRET}\n"))
    done = CliRunner().invoke(build(), ["key", "s3"], input=f"{ID}\n{SECRET}\n")
    assert done.exit_code == 0, done.output
    assert SECRET not in done.output
    assert ID not in done.output
    found = S3KeyStore(home, {}).get()
    assert found is not None
    assert found.secret_access_key == SECRET
    done = CliRunner().invoke(build(), ["key", "s3", "--clear"])
    assert "Removed from the file" in done.output
    assert S3KeyStore(home, {}).get() is None
