"""The API key: where it is looked for, where it is kept, and that it is never shown."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.errors
import pytest
from keyring.backends import fail, null

from bridge_daemon.errors import KeyTrouble
from bridge_daemon.home import api_key as module
from bridge_daemon.home.api_key import Key, KeyStore, check, mask
from bridge_daemon.home.paths import Home

KEY = "sk-empiriolabs-0123456789abcdef"
OTHER = "sk-empiriolabs-fedcba9876543210"


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


class Broken(keyring.backend.KeyringBackend):
    """A keyring that answers everything with one error."""

    priority = 1  # type: ignore[assignment]

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    set_password = delete_password = get_password  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(fail.Keyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def memory() -> Memory:
    backend = Memory()
    keyring.set_keyring(backend)
    return backend


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "Zoës home")
    home.prepare()
    return home


def test_nothing_anywhere(home: Home, memory: Memory) -> None:
    assert KeyStore(home, {}).get() is None
    assert KeyStore(home, {"EMPIRIOLABS_API_KEY": "  "}).get() is None


def test_no_keyring_on_this_machine_is_no_error(home: Home) -> None:
    assert KeyStore(home, {}).get() is None


def test_order(home: Home, memory: Memory) -> None:
    home.key_file.write_text(KEY + "-file\n", encoding="ascii")
    home.key_file.chmod(0o600)
    assert KeyStore(home, {}).get() == Key(KEY + "-file", "file")
    memory.set_password("daw-bridge", "empiriolabs", KEY + "-ring")
    assert KeyStore(home, {}).get() == Key(KEY + "-ring", "keyring")
    assert KeyStore(home, {"EMPIRIOLABS_API_KEY": f" {KEY}-env\n"}).get() == Key(KEY + "-env", "environment")


def test_kept_in_the_keyring(home: Home, memory: Memory) -> None:
    store = KeyStore(home, {})
    assert store.set(f"  {KEY}\n") == "keyring"
    assert memory.entries == {("daw-bridge", "empiriolabs"): KEY}
    assert store.get() == Key(KEY, "keyring")
    assert not home.key_file.exists()
    assert store.clear() == ["keyring"]
    assert store.get() is None
    assert store.clear() == []


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
def test_kept_in_a_closed_file_where_there_is_no_keyring(home: Home, backend: type) -> None:
    keyring.set_keyring(backend())
    store = KeyStore(home, {})
    assert store.set(KEY) == "file"
    assert home.key_file.read_text(encoding="ascii") == KEY
    if sys.platform != "win32":
        assert home.key_file.stat().st_mode & 0o777 == 0o600
    assert store.get() == Key(KEY, "file")
    assert store.set(OTHER) == "file"
    assert store.get() == Key(OTHER, "file")
    assert store.clear() == ["file"]
    assert store.get() is None


def test_a_keyring_that_comes_later_takes_over(home: Home) -> None:
    KeyStore(home, {}).set(KEY)
    keyring.set_keyring(Memory())
    store = KeyStore(home, {})
    assert store.get() == Key(KEY, "file")
    assert store.set(OTHER) == "keyring"
    assert not home.key_file.exists()


@pytest.mark.parametrize(
    "error",
    [
        keyring.errors.KeyringLocked("Failed to unlock the collection!"),
        keyring.errors.InitError("no bus"),
        keyring.errors.KeyringError("(-25308, 'User interaction is not allowed')"),
        RuntimeError("a backend's own error"),
        OSError(5, "Input/output error"),
    ],
)
def test_a_store_that_cannot_be_read_is_never_no_key(home: Home, error: Exception) -> None:
    home.key_file.write_text(KEY, encoding="ascii")  # not even then: the keyring may hold a newer one
    home.key_file.chmod(0o600)
    keyring.set_keyring(Broken(error))
    store = KeyStore(home, {})
    for call in (store.get, store.clear, lambda: store.set(OTHER)):
        with pytest.raises(KeyTrouble, match="keyring of this machine") as caught:
            call()
        assert caught.value.charge == "none"
        assert "EMPIRIOLABS_API_KEY" in caught.value.next_step
    assert home.key_file.read_text(encoding="ascii") == KEY
    assert KeyStore(home, {"EMPIRIOLABS_API_KEY": OTHER}).get() == Key(OTHER, "environment")


def test_a_keyring_that_cannot_be_loaded_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring.errors", None)
    with pytest.raises(KeyTrouble, match="cannot be loaded"):
        KeyStore(home, {}).get()


def test_an_error_that_quotes_the_key_does_not_pass_it_on(home: Home) -> None:
    keyring.set_keyring(Broken(RuntimeError(f"cannot store {KEY}")))
    with pytest.raises(KeyTrouble) as caught:
        KeyStore(home, {}).set(KEY)
    assert "0123456789" not in json.dumps(caught.value.as_dict())


@pytest.mark.parametrize(
    "value", ["", "short", "sk-two words here", "sk-line\nbreak-here", "x" * 513, "sk-ümlaut-123", "a\0b" * 9]
)
def test_what_cannot_be_a_key(home: Home, memory: Memory, value: str) -> None:
    with pytest.raises(ValueError, match=r"characters|spaces") as caught:
        KeyStore(home, {}).set(value)
    assert not value or value not in str(caught.value)
    assert memory.entries == {}


@pytest.mark.parametrize("value", ["12345678", "no-prefix-is-needed", " sk-x-1234567 \r\n", "x" * 512])
def test_what_can(value: str) -> None:
    assert check(value) == value.strip()


@pytest.mark.parametrize("where", ["environment", "keyring", "file"])
def test_a_kept_value_that_is_no_key(home: Home, memory: Memory, where: str) -> None:
    bad, environ = "private words that are no key", {}
    if where == "environment":
        environ = {"EMPIRIOLABS_API_KEY": bad}
    elif where == "keyring":
        memory.set_password("daw-bridge", "empiriolabs", bad)
    else:
        home.key_file.write_text(bad, encoding="ascii")
        home.key_file.chmod(0o600)
    with pytest.raises(KeyTrouble) as caught:
        KeyStore(home, environ).get()
    assert "private" not in caught.value.message


@pytest.mark.posix("modes of POSIX")
def test_an_open_file_is_refused(home: Home) -> None:
    home.key_file.write_text(KEY, encoding="ascii")
    home.key_file.chmod(0o644)
    with pytest.raises(KeyTrouble, match="can read") as caught:
        KeyStore(home, {}).get()
    assert "chmod 600" in caught.value.next_step


@pytest.mark.posix("links of POSIX")
def test_a_link_is_refused_and_can_be_cleared(home: Home, tmp_path: Path) -> None:
    home.key_file.symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeyTrouble, match="is a link"):
        KeyStore(home, {}).get()
    assert KeyStore(home, {}).clear() == ["file"]


def test_a_key_is_never_shown() -> None:
    key = Key(KEY, "file")
    for text in (repr(key), str(key), f"{key}", f"{key!r}", f"{[key]}", "%s" % key, repr(copy.copy(key))):  # noqa: UP031
        assert "0123456789" not in text
        assert "sk-…cdef" in text
    with pytest.raises(TypeError):
        json.dumps(key)


@pytest.mark.parametrize(
    ("value", "masked"), [(KEY, "sk-…cdef"), ("0123456789abcdef", "…cdef"), ("sk-12345", "sk-…"), ("12345678", "…")]
)
def test_mask(value: str, masked: str) -> None:
    assert mask(value) == masked
    assert module.mask is mask


def test_the_keyring_is_loaded_when_it_is_asked_only() -> None:
    import subprocess

    code = "import sys, bridge_daemon.home.api_key; sys.exit('keyring' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
