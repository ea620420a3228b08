"""A real PostgreSQL for tests: one cluster for each process of pytest, one database for each home."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url

from bridge_daemon.studio import database, roles

#: Where Debian has it; its initdb refuses root.
PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
_TEMPLATE = "studio"


@cache
def program(name: str) -> str:
    """Return the path of a program of PostgreSQL; skip the test if it is not installed."""
    found = shutil.which(name, path=os.pathsep.join([*map(str, PLACES), os.environ.get("PATH", "")]))
    if found is None:
        sentence = f"needs the program {name}: install the package postgresql"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


def free_port() -> int:
    """Return a TCP port that is free now."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Cluster:
    """One server, with databases made on demand."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self._durable = durable
        self._template = False
        self._of: dict[Path, str] = {}
        self._as = ["su", "postgres", "-c"] if getpass.getuser() == "root" else ["sh", "-c"]
        if self._as[0] == "su":
            shutil.chown(folder, "postgres")
        self._run(f"{program('initdb')} -D {folder}/data -A trust -U postgres --no-sync -E UTF8 --locale=C")

    def _run(self, command: str) -> None:
        done = subprocess.run([*self._as, command], capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        sync = "on" if self._durable else "off"
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync={sync} -c max_connections=300"
        )
        self._run(f"{program('pg_ctl')} -D {self.folder}/data -o '{options}' -l {self.folder}/log -w start")

    def stop(self, how: str = "fast") -> None:
        """End the server; ``immediate`` is as if it was killed."""
        self._run(f"{program('pg_ctl')} -D {self.folder}/data -m {how} -w stop")

    def address(self, name: str, user: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def new(self) -> str:
        """Make a database with the tables of a studio and return its URL."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            if not self._template:
                connection.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")
                connection.execute(f"CREATE DATABASE {_TEMPLATE}")
                database.init(make_url(self.address(_TEMPLATE)))
                self._template = True
            name = f"t{uuid.uuid4().hex}"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        with psycopg.connect(self.address(name), autocommit=True) as connection:
            connection.execute("UPDATE ledger SET studio = %s", [str(uuid.uuid4())])
        return self.address(name)

    def of(self, home: Path) -> str:
        """Return the URL of the database of a home, the same each time: with the role of its one room."""
        if home not in self._of:
            self._of[home] = as_room(self.new(), "room")
        return self._of[home]


def as_room(url: str, room: str, kind: str = roles.ROOM) -> str:
    """Return the URL of a database with the role of a room, which is made if it is not there."""
    where = make_url(url)
    engine = create_engine(where.set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        there = roles.member(connection, room)
        if there is None:
            there = roles.Member(room, f"{room}_{where.database}"[: roles.LONGEST], kind)
            assert roles.add(connection, _TEMPLATE, there, "secret")
    engine.dispose()
    return where.set(username=there.role).render_as_string()


@contextmanager
def cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Run a server."""
    with tempfile.TemporaryDirectory(prefix="studio-") as name:
        made = Cluster(Path(name), durable=durable)
        made.start()
        try:
            yield made
        finally:
            made.stop("immediate")


#: The server that homes have their journals in at the moment; None: each has its file.
used: Cluster | None = None


@contextmanager
def journals_in(server: Cluster) -> Iterator[None]:
    """Let every daemon of :mod:`tests.support` have its journal in a database."""
    global used
    used = server
    try:
        yield
    finally:
        used = None


def sections(home: Path) -> dict[str, dict[str, str]]:
    """Return the section of the settings of a home that says where its journal is."""
    return {} if used is None else {"journal": {"url": used.of(home), "room": "room"}}
