"""Bridges of a studio as processes of their own, which a test ends as hard as it likes."""

from __future__ import annotations

import asyncio
import errno
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bridge_daemon.app.daemon import Daemon
from bridge_daemon.errors import BridgeError
from bridge_daemon.home.api_key import KeyStore
from bridge_daemon.home.paths import Home
from bridge_daemon.pipeline import pace
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.failpoints import EXIT_CODE, arm
from tests.waiting import eventually


async def _serve(given: dict[str, Any], orders: Connection) -> None:
    home = Home(Path(given["home"]))
    home.prepare()
    keys = KeyStore(home, {"EMPIRIOLABS_API_KEY": given["key"]})
    daemon = Daemon(home, Settings.model_validate(given["settings"]), keys=keys, kind=given["kind"])
    await daemon.start()
    orders.send("ready")
    while True:
        verb, *arguments = await asyncio.to_thread(orders.recv)
        if verb == "stop":
            await daemon.stop()
            orders.send("stopped")
            return
        try:
            orders.send(await getattr(daemon.actions, verb)(*arguments))
        except BridgeError as error:
            orders.send(error.as_dict())


def _own_disk(home: Path) -> None:
    """Let this process open no file in the home of another bridge: that one is on another machine."""

    def opened(event: str, given: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(given[0], str | bytes):
            return
        path = Path(os.fsdecode(given[0]))
        if not path.is_relative_to(home.parent) or path.is_relative_to(home):
            return
        other = home.parent / path.relative_to(home.parent).parts[0]
        if os.path.lexists(other / "token"):
            raise FileNotFoundError(errno.ENOENT, "on the disk of another machine", str(path))

    sys.addaudithook(opened)


def _main(given: dict[str, Any], orders: Connection, failpoint: str | None) -> None:
    told = os.open(given["told"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(told, 2)
    os.setsid()
    _own_disk(Path(given["home"]))
    arm(failpoint, None)
    pace.FIRST = 0.1
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(_serve(given, orders))


class Bridge:
    """One of them."""

    def __init__(
        self,
        folder: Path,
        name: str,
        url: str,
        service: Any,
        kind: str,
        sections: dict[str, Any],
        *,
        port: int | None = None,
    ) -> None:
        """Nothing runs before :meth:`start`; a home outlives its processes. Its role in the database is its own.

        ``port`` is where this bridge reaches the database, if not where ``url`` says.
        """
        from sqlalchemy import make_url

        from tests import postgres
        from tests.support import settings

        self.name = name
        self.home = folder / name
        own = make_url(postgres.as_room(url, name, kind))
        own = own if port is None else own.set(port=port)
        journal = {"url": own.render_as_string(), "room": name}
        given = settings(service, journal=journal, **sections).model_dump(mode="json")
        self._given = {"home": str(self.home), "key": service.key, "settings": given, "kind": kind}
        self._given["told"] = str(folder / f"{name}.txt")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            [
                "tests.studio.bridges",
                "bridge_daemon.studio.membership",
                "bridge_daemon.studio.store",
                "psycopg",
                "obstore",
            ]
        )
        self.process: Any = None
        self._orders: Any = None

    async def start(self, *, failpoint: str | None = None) -> None:
        """Run it, and return once it can be pressed; it ends itself at a failpoint."""
        self._orders, other = self._context.Pipe()
        given = (self._given, other, failpoint)
        self.process = self._context.Process(target=_main, args=given, name=self.name, daemon=True)
        self.process.start()
        other.close()
        assert await self._answer() == "ready", self.said

    @property
    def said(self) -> str:
        """What it wrote."""
        return Path(self._given["told"]).read_text(encoding="utf-8")

    async def ask(self, verb: str, *arguments: Any) -> Any:
        """Have it do what its actions can, and return the answer."""
        self._orders.send((verb, *arguments))
        return await self._answer()

    async def _answer(self) -> Any:
        async with asyncio.timeout(90):
            while not self._orders.poll():
                await asyncio.sleep(0.01)
        try:
            return self._orders.recv()
        except EOFError:
            raise AssertionError(f"{self.name} ended: {self.said}") from None

    async def died(self, seconds: float = 60.0) -> None:
        """Wait until it ended itself at its failpoint."""
        await eventually(self._is_dead, f"{self.name} ends at its failpoint", seconds=seconds)
        self.process.join()
        assert self.process.exitcode == EXIT_CODE, self.said

    async def _is_dead(self) -> bool:
        return not self.process.is_alive()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process is not None and self.process.is_alive():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self.process.join()

    async def stop(self) -> None:
        """End it as a person does."""
        assert await self.ask("stop") == "stopped"
        self.process.join(10)


@contextmanager
def bridges(*given: Bridge) -> Iterator[None]:
    """Leave none running."""
    try:
        yield
    finally:
        for one in given:
            one.kill()
