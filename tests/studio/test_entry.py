"""What is in the way into a database: each in words of its own, with what to do; never as if it did not answer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import make_url

from bridge_daemon.errors import BridgeError, JournalUnusable
from bridge_daemon.studio import database
from bridge_daemon.studio.database import Postgres, init
from tests import postgres
from tests.journal.conftest import add
from tests.studio.pressing import room

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a PostgreSQL of Debian")


def refused(url: str, home: Path, secret: str | None = None, **query: str) -> BridgeError:
    """Return what a room is told that opens a database."""
    where = make_url(url).update_query_dict(query)
    opened = Postgres(where, room="left", home=home, secret=lambda: (secret, "typed") if secret else None)
    try:
        with pytest.raises(BridgeError) as caught:
            opened.open()
    finally:
        opened.close()
    return caught.value


def told(error: BridgeError) -> str:
    return f"{error.code} {error.message} {error.next_step}"


@pytest.fixture
def guarded(own_server: postgres.Cluster) -> Iterator[tuple[postgres.Cluster, str]]:
    """A server that asks for passwords, and the URL of a database for the room left, whose password is secret."""
    url = postgres.as_room(own_server.new(), "left")
    hba = own_server.folder / "data" / "pg_hba.conf"
    hba.write_text(
        "host all postgres 127.0.0.1/32 trust\nhost postgres all 127.0.0.1/32 reject\n"
        "host all all 127.0.0.1/32 scram-sha-256\n",
        encoding="utf-8",
    )
    with psycopg.connect(own_server.address("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
    yield own_server, url


class TestWhoIsNotLetIn:
    """Waiting does not help: it is told at once."""

    def test_a_wrong_password(self, guarded: tuple[postgres.Cluster, str], tmp_path: Path) -> None:
        error = refused(guarded[1], tmp_path, "wrong")
        assert error.code == "E-STUDIO-ENTRY"
        assert "password" in error.message
        assert "does not answer" not in error.message
        assert "daw-bridge key studio" in error.next_step

    def test_no_password(self, guarded: tuple[postgres.Cluster, str], tmp_path: Path) -> None:
        error = refused(guarded[1], tmp_path)
        assert (error.code, "daw-bridge key studio" in error.next_step) == ("E-STUDIO-ENTRY", True), told(error)

    def test_a_missing_role(self, studio: str, tmp_path: Path) -> None:
        error = refused(make_url(studio).set(username="nobody").render_as_string(), tmp_path)
        assert (error.code, "role nobody" in error.message) == ("E-STUDIO-ENTRY", True), told(error)
        assert "studio room add" in error.next_step

    def test_a_role_that_may_not_log_in(self, studio: str, tmp_path: Path) -> None:
        role = f"n{os.getpid()}"
        with psycopg.connect(studio, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {role} NOLOGIN")
        error = refused(make_url(studio).set(username=role).render_as_string(), tmp_path)
        assert (error.code, f"role {role}" in error.message) == ("E-STUDIO-ENTRY", True), told(error)

    def test_a_missing_database(self, studio: str, tmp_path: Path) -> None:
        error = refused(make_url(studio).set(database="nowhere").render_as_string(), tmp_path)
        assert (error.code, "no database nowhere" in error.message) == ("E-STUDIO-ENTRY", True), told(error)
        assert "studio init" in error.next_step

    def test_a_database_that_does_not_let_the_role_in(self, studio: str, tmp_path: Path) -> None:
        url = postgres.as_room(studio, "left")
        name = make_url(url).database
        with psycopg.connect(studio, autocommit=True) as connection:
            connection.execute(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
        error = refused(url, tmp_path)
        assert (error.code, "may not use the database" in error.message) == ("E-STUDIO-ENTRY", True), told(error)

    def test_a_machine_that_pg_hba_does_not_know(self, guarded: tuple[postgres.Cluster, str], tmp_path: Path) -> None:
        error = refused(make_url(guarded[1]).set(database="postgres").render_as_string(), tmp_path, "secret")
        assert (error.code, "pg_hba.conf" in error.next_step) == ("E-STUDIO-ENTRY", True), told(error)

    def test_a_server_that_speaks_another_language(
        self, guarded: tuple[postgres.Cluster, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its words are not known here, and that it is there is."""
        monkeypatch.setattr("bridge_daemon.studio.entry.CAUSES", ())
        error = refused(guarded[1], tmp_path, "wrong")
        assert (error.code, "is there, and did not let" in error.message) == ("E-STUDIO", True), told(error)

    @pytest.mark.parametrize("says", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
    def test_something_else_that_answers_there(self, tmp_path: Path, says: bytes) -> None:
        with _answering(says) as port:
            error = refused(f"postgresql://left@127.0.0.1:{port}/studio", tmp_path)
        assert (error.code, "is not PostgreSQL" in error.message) == ("E-STUDIO-ENTRY", True), told(error)
        assert "[journal] url" in error.next_step

    def test_a_server_that_is_too_old(self, studio: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(database, "OLDEST", 99)
        error = refused(studio, tmp_path)
        assert isinstance(error, JournalUnusable)
        assert "needs PostgreSQL 99" in error.message
        with pytest.raises(JournalUnusable, match="needs PostgreSQL 99"):
            init(make_url(studio))


class TestWhatPasses:
    """Waiting helps, and what it waits for has a name."""

    def test_a_name_that_nobody_knows(self, tmp_path: Path) -> None:
        error = refused("postgresql://left@no-such-host.invalid/studio", tmp_path)
        assert (error.code, "no-such-host.invalid" in error.message) == ("E-STUDIO", True)
        assert "is not known" in error.message
        assert "[journal] url" in error.next_step

    def test_too_many_connections(self, studio: str, tmp_path: Path) -> None:
        url = postgres.as_room(studio, "left")
        with psycopg.connect(studio, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE {make_url(url).username} CONNECTION LIMIT 0")
        error = refused(url, tmp_path)
        assert (error.code, "takes no more connections" in error.message) == ("E-STUDIO", True), told(error)
        assert "max_connections" in error.next_step

    async def test_a_standby_that_takes_no_changes(self, own_server: postgres.Cluster, tmp_path: Path) -> None:
        url = postgres.as_room(own_server.new(), "left")
        own_server.stop()
        signal = own_server.folder / "data" / "standby.signal"
        signal.touch()
        shutil.chown(signal, *(("postgres", "postgres") if os.geteuid() == 0 else (os.getuid(), os.getgid())))
        own_server.start()
        await _write_is_refused(url, tmp_path, "takes no changes")

    async def test_a_database_that_was_set_read_only(self, studio: str, tmp_path: Path) -> None:
        url = postgres.as_room(studio, "left")
        with psycopg.connect(studio, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {make_url(url).database} SET default_transaction_read_only = on")
        await _write_is_refused(url, tmp_path, "takes no changes")

    @pytest.mark.parametrize(("code", "says"), [("53100", "disk"), ("53200", "memory"), ("53400", "limit")])
    async def test_a_server_that_has_no_room(self, studio: str, tmp_path: Path, code: str, says: str) -> None:
        """The server's own error, as it is raised where a file cannot grow."""
        with psycopg.connect(studio, autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{code}'; END $$"
            )
            connection.execute("CREATE TRIGGER f BEFORE INSERT ON jobs FOR EACH ROW EXECUTE FUNCTION full_disk()")
        await _write_is_refused(postgres.as_room(studio, "left"), tmp_path, says)


async def _write_is_refused(url: str, tmp_path: Path, says: str) -> None:
    journal = room(url, tmp_path / "left", "left")
    try:
        await journal.open()
        with pytest.raises(BridgeError) as caught:
            await journal.write("test", add)
    finally:
        await journal.close()
    assert (caught.value.code, says in caught.value.message) == ("E-STUDIO", True), told(caught.value)
    assert "does not answer" not in caught.value.message


@contextmanager
def _answering(says: bytes) -> Iterator[int]:
    """Listen as a server that says the same to everybody."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listening.accept()
                    with closing(sock):
                        sock.recv(64)
                        sock.sendall(says)

        threading.Thread(target=serve, name="asyncio_other", daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


# Certificates


class Authority:
    """Who signs the certificates of a server."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.sign(self.key, self.name, days=(-30, 30), ca=True))

    def sign(self, key: Any, name: x509.Name, *, days: tuple[int, int], host: str = "", ca: bool = False) -> bytes:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if host:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def secured(server: postgres.Cluster, authority: Authority, *, days: tuple[int, int], host: str) -> None:
    """Let a server speak TLS with a new certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    data = server.folder / "data"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    written = {
        "server.key": key.private_bytes(*form),
        "server.crt": authority.sign(key, x509.Name([]), days=days, host=host),
    }
    for name, content in written.items():
        (data / name).write_bytes(content)
        (data / name).chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(data / name, "postgres", "postgres")
    with psycopg.connect(server.address("postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET ssl = on")
        connection.execute("SELECT pg_reload_conf()")


class TestCertificates:
    @pytest.mark.parametrize(
        ("days", "host", "says"),
        [
            ((-20, -1), "localhost", "has expired"),
            ((5, 20), "localhost", "not yet valid"),
            ((-20, 20), "elsewhere.example", "not that of localhost"),
        ],
    )
    def test_that_are_not_good(
        self, own_server: postgres.Cluster, tmp_path: Path, days: tuple[int, int], host: str, says: str
    ) -> None:
        authority = Authority(tmp_path)
        secured(own_server, authority, days=days, host=host)
        error = refused(_by_name(own_server), tmp_path, sslmode="verify-full", sslrootcert=str(authority.file))
        assert (error.code, says in error.message) == ("E-STUDIO-ENTRY", True), told(error)
        assert error.next_step

    def test_of_somebody_who_is_not_trusted(self, own_server: postgres.Cluster, tmp_path: Path) -> None:
        secured(own_server, Authority(tmp_path), days=(-1, 20), host="localhost")
        other = Authority(tmp_path, "other").file
        error = refused(_by_name(own_server), tmp_path, sslmode="verify-full", sslrootcert=str(other))
        assert (error.code, "is signed by nobody" in error.message) == ("E-STUDIO-ENTRY", True), told(error)
        assert "sslrootcert" in error.next_step

    def test_file_that_is_not_there(self, own_server: postgres.Cluster, tmp_path: Path) -> None:
        secured(own_server, Authority(tmp_path), days=(-1, 20), host="localhost")
        error = refused(_by_name(own_server), tmp_path, sslmode="verify-full", sslrootcert=str(tmp_path / "none"))
        assert (error.code, "no certificate here" in error.message) == ("E-STUDIO-ENTRY", True), told(error)

    def test_a_server_without_tls(self, own_server: postgres.Cluster, tmp_path: Path) -> None:
        file = Authority(tmp_path).file
        error = refused(_by_name(own_server), tmp_path, sslmode="verify-full", sslrootcert=str(file))
        assert (error.code, "speaks no TLS" in error.message) == ("E-STUDIO-ENTRY", True), told(error)
        assert "ssl = on" in error.next_step

    def test_that_are_good_let_in(self, own_server: postgres.Cluster, tmp_path: Path) -> None:
        authority = Authority(tmp_path)
        secured(own_server, authority, days=(-1, 20), host="localhost")
        where = make_url(_by_name(own_server)).update_query_dict(
            {"sslmode": "verify-full", "sslrootcert": str(authority.file)}
        )
        opened = Postgres(where, room="left", home=tmp_path)
        opened.open()
        opened.close()


def _by_name(server: postgres.Cluster) -> str:
    return make_url(server.new()).set(host="localhost").render_as_string()


def test_doctor_says_the_same(guarded: tuple[postgres.Cluster, str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f'[journal]\nurl = "{guarded[1]}"\nroom = "left"\n', encoding="utf-8")
    (home / "studio-password").touch(mode=0o600)
    (home / "studio-password").write_text("wrong", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bridge_daemon", "doctor", "--json"],
        env=os.environ | {"DAW_BRIDGE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "its password is wrong" in done.stdout
    assert "daw-bridge key studio" in done.stdout
