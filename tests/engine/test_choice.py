"""Which engine, and with which key: a key that is set while an older one is being read is not lost."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from bridge_daemon.engine.choice import Engines
from bridge_daemon.home.api_key import Key
from bridge_daemon.home.paths import Home
from bridge_daemon.journal import Journal
from bridge_daemon.settings.load import Settings
from bridge_daemon.util.times import Times


class SlowStore:
    """A keyring that takes its time, as one does that asks the person to unlock it."""

    def __init__(self) -> None:
        self.kept: Key | None = None
        self.reading, self.go_on = threading.Event(), threading.Event()

    def get(self) -> Key | None:
        found = self.kept  # what was there when it was asked
        self.reading.set()
        assert self.go_on.wait(10)
        return found


async def test_a_key_that_is_set_while_the_store_is_read_is_used(tmp_path: Path):
    home = Home(tmp_path / "home")
    home.prepare()
    journal = Journal(home.journal, Times())
    await journal.open()
    store = SlowStore()
    engines = Engines(lambda: Settings.load(home), store, home, journal)  # type: ignore[arg-type]
    asked = asyncio.create_task(engines.key())
    assert await asyncio.to_thread(store.reading.wait, 10)
    store.kept = Key("sk-0123456789", "keyring")
    engines.reload_key()  # what `key set` asks for
    store.go_on.set()
    try:
        assert await asked == store.kept
        assert await engines.key() == store.kept
    finally:
        await engines.close()
        await journal.close()
