"""The daemon: its parts start in order and stop in the opposite order; a start that fails leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge_daemon.app import run as app_run
from bridge_daemon.app.daemon import Daemon
from bridge_daemon.domain.job import Charge, State
from bridge_daemon.errors import JournalUnusable, NotPublished, PortTaken
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal
from bridge_daemon.util.times import Times
from tests.fakes.service import Service
from tests.support import job_of, press, request, running, settings, tone, until, until_seen
from tests.util.wine import is_wine


def made(path: Path, service: Service | None, **sections: Any) -> Daemon:
    home = Home(path)
    home.prepare()
    key = {"EMPIRIOLABS_API_KEY": service.key} if service else {}
    return Daemon(home, settings(service, **sections), keys=KeyStore(home, key))


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


async def answers(url: str) -> bool:
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as response:
            return response.status == 200
    return False


# Start


async def test_runtime_json_names_a_daemon_that_can_be_used(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        told = json.loads((tmp_path / "home" / "runtime.json").read_text(encoding="utf-8"))
        assert (told["pid"], told["http_url"]) == (os.getpid(), daemon.http_url)
        assert await answers(told["http_url"])
    assert not (tmp_path / "home" / "runtime.json").exists()
    assert not await answers(told["http_url"])


async def test_a_taken_port_is_explained_and_nothing_was_started(tmp_path: Path) -> None:
    async with Service() as service:
        with taken_port() as port:
            daemon = made(tmp_path / "home", service, http={"port": port})
            with pytest.raises(PortTaken, match=str(port)):
                await daemon.start()
        assert not (tmp_path / "home" / "runtime.json").exists()
        assert service.requests == []
        async with running(tmp_path / "home", service) as again:  # the journal was closed: it can be opened
            assert (await until(again, await press(again))).state is State.PLACED


async def test_a_taken_port_for_sources_is_in_nobodys_way_until_a_source_is_published(tmp_path: Path) -> None:
    async with Service() as service:
        with ExitStack() as held:
            port = held.enter_context(taken_port())
            async with running(tmp_path / "home", service, publish={"source_port": port}) as daemon:
                assert (await until(daemon, await press(daemon))).state is State.PLACED
                with pytest.raises(NotPublished, match=rf"Port {port} .*source_port.*nothing was spent") as refused:
                    await daemon.parts.listener.open()
                if not is_wine():  # it tells of no port which program holds it
                    assert f"pid {os.getpid()}" in refused.value.message
                assert refused.value.passing
                held.close()
                await daemon.parts.listener.open()  # it is free now: no new start is needed for that
                assert daemon.about()["source_port"] == port


async def test_a_start_that_fails_sends_nothing_of_what_waits(tmp_path: Path) -> None:
    async with Service(job_seconds=1000) as service:
        async with running(tmp_path / "home", service, engine={"max_open_jobs": 1}) as daemon:
            first = await press(daemon)
            await until(daemon, first, {State.GENERATING})
            second = await press(daemon, prompt="another")
        with taken_port() as port, pytest.raises(PortTaken):
            await made(tmp_path / "home", service, http={"port": port}, engine={"max_open_jobs": 4}).start()
        assert len(service.posts) == 1
        async with running(tmp_path / "home", service) as daemon:
            assert (await until(daemon, second, {State.GENERATING})).charge is Charge.CONFIRMED


@pytest.mark.fault(32)
async def test_a_damaged_journal_stops_the_start_and_is_kept(tmp_path: Path) -> None:
    async with Service() as service:
        async with running(tmp_path / "home", service):
            pass
        journal = tmp_path / "home" / "journal.sqlite3"
        journal.write_bytes(b"not a database at all " * 100)
        with pytest.raises(JournalUnusable):
            await made(tmp_path / "home", service).start()
        assert journal.read_bytes().startswith(b"not a database")


async def test_it_starts_where_no_key_can_be_read_and_no_service_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is paid for is kept; what is missing is told."""
    async with Service(job_seconds=1000) as service:
        async with running(tmp_path / "home", service) as daemon:
            name = await press(daemon)
            await until(daemon, name, {State.GENERATING})
        async with running(tmp_path / "home", service, key=None) as daemon:
            assert not (await daemon.actions.status())["engine"]["ready"]
            async with asyncio.timeout(15):
                while (await job_of(daemon, name)).problem is None:
                    await asyncio.sleep(0.02)
            job = await job_of(daemon, name)
            assert (job.state, job.charge) == (State.GENERATING, Charge.CONFIRMED)
            assert job.problem is not None
            assert job.problem.code == "E-KEY"
        service.advance(1000)
        async with running(tmp_path / "home", service) as daemon:
            assert (await until(daemon, name)).problem is None


async def test_old_sources_are_removed_and_new_ones_kept(tmp_path: Path) -> None:
    sources = tmp_path / "home" / "sources"
    async with Service() as service:
        async with running(tmp_path / "home", service):
            pass
        old, new = tone(sources / "old.wav", seconds=1), tone(sources / "new.wav", seconds=1)
        (sources / "a folder").mkdir()
        (sources / ".x.wav.1.part").write_bytes(b"half")
        for path in (old, sources / "a folder"):
            os.utime(path, (time.time() - 31 * 86_400,) * 2)
        async with running(tmp_path / "home", service) as daemon, asyncio.timeout(10):
            while old.exists():
                await asyncio.sleep(0.02)
            assert new.exists()
            assert not (sources / ".x.wav.1.part").exists()
            assert (await until(daemon, await press(daemon))).state is State.PLACED


# End


@asynccontextmanager
async def run(daemon: Daemon) -> AsyncIterator[asyncio.Task[None]]:
    """Run a daemon as the command does, and see that its signal handlers are gone in the end."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    ready = asyncio.Event()
    task = asyncio.create_task(app_run.run(daemon, ready=ready.set, told=lambda _: None))
    await ready.wait()
    yield task
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


async def ended(task: asyncio.Task[None], *numbers: int) -> float:
    """Send signals to this process, as a terminal or a service manager does; return how long the end took."""
    begun = time.monotonic()
    for number in numbers:
        signal.raise_signal(number)
        await asyncio.sleep(0.3)
    await task
    return time.monotonic() - begun


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_at_once_where_nothing_is_on_the_wire(tmp_path: Path, number: int) -> None:
    async with Service(job_seconds=1000) as service:
        daemon = made(tmp_path / "home", service)
        async with run(daemon) as task:
            name = await press(daemon)
            await until(daemon, name, {State.GENERATING})
            assert await ended(task, number) < 5
        assert not (tmp_path / "home" / "runtime.json").exists()


@pytest.mark.fault(7)
async def test_sigterm_waits_for_the_answer_to_a_post(tmp_path: Path) -> None:
    async with Service() as service:
        service.script_post("slow_ok:2")
        daemon = made(tmp_path / "home", service)
        async with run(daemon) as task:
            name = await press(daemon)
            await until_seen(service)
            await ended(task, signal.SIGTERM)
        async with running(tmp_path / "home", service) as daemon:
            assert (await until(daemon, name)).state is State.PLACED
        assert len(service.posts) == len(service.charges) == 1


async def test_a_second_signal_leaves_what_was_sent_unknown(tmp_path: Path) -> None:
    async with Service() as service:
        service.script_post("silence")
        daemon = made(tmp_path / "home", service)
        async with run(daemon) as task:
            name = await press(daemon)
            await until_seen(service)
            assert await ended(task, signal.SIGINT, signal.SIGINT) < 8
        async with running(tmp_path / "home", service) as daemon:
            job = await job_of(daemon, name)
            assert (job.state, job.charge) == (State.UNKNOWN, Charge.POSSIBLE)
        assert len(service.posts) == 1


async def test_a_second_signal_takes_back_what_had_not_left(tmp_path: Path) -> None:
    """The handshake of TLS hangs: certainly nothing was sent, so nobody has to look at an account."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError, ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    engine = {"base_url": f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"}
    async with Service() as service:
        daemon = made(tmp_path / "home", service, engine=engine)
        async with run(daemon) as task:
            name = await press(daemon)
            await until(daemon, name, {State.SUBMITTING})
            assert await ended(task, signal.SIGINT, signal.SIGINT) < 8
        journal = Journal(tmp_path / "home" / "journal.sqlite3", Times(), read_only=True)
        await journal.open()
        job = await journal.read(lambda tx: tx.job(name))
        await journal.close()
        assert (job.state, job.charge) == (State.QUEUED, Charge.NONE)
    server.close()


async def test_starting_and_stopping_leaves_no_file_or_socket_open(tmp_path: Path) -> None:
    async with Service() as service:
        counts = []
        for number in range(6):
            async with running(tmp_path / "home", service) as daemon:
                assert (await until(daemon, await press(daemon, prompt=f"{number}"))).state is State.PLACED
            await asyncio.sleep(0.1)
            counts.append(open_files())
        assert counts[-1] <= counts[1] + 1, counts


async def test_what_is_admitted_while_it_stops_goes_on_at_the_next_start(tmp_path: Path) -> None:
    async with Service() as service:
        service.script_post("slow_ok:1")
        daemon = made(tmp_path / "home", service)
        await daemon.start()
        first = await press(daemon)
        await until_seen(service)
        stopping = asyncio.create_task(daemon.stop())
        await asyncio.sleep(0.1)
        late = request(prompt="late")
        answer, _ = await daemon.actions.admit(late)
        await stopping
        async with running(tmp_path / "home", service) as daemon:
            for name in (first, answer["jobs"][0]):
                assert (await until(daemon, name)).state is State.PLACED
            assert await daemon.actions.admit(late) == (answer, True)
        assert len(service.charges) == 2


def test_a_start_loads_neither_what_reads_audio_nor_what_speaks_http() -> None:
    """They take half of the time of a start, and of the memory; each is loaded when it is needed."""
    look = "import sys, bridge_daemon.cli.foreground, bridge_daemon.app.run; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", look], check=True, capture_output=True, text=True).stdout.split()
    assert not {
        "numpy",
        "soundfile",
        "soxr",
        "alembic",
        "keyring",
        "obstore",
        "wakepy",
        "tomlkit",
        "aiohttp",
        "yarl",
        "mido",
        "typer",
    } & set(loaded)
