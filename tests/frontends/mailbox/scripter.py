"""A script that has only files: it writes under a .tmp name, renames, and reads its outbox."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import PATIENCE


class Script:
    """One client of the inbox."""

    def __init__(self, home: Path, client: str = "reaper") -> None:
        self.home = home
        self.client = client
        self.inbox = home / "inbox" / client
        self.outbox = home / "outbox" / client

    def make(self) -> Script:
        self.inbox.mkdir(parents=True, exist_ok=True)
        return self

    def write(self, name: str, data: Any = "") -> str:
        """Write a file as the contract says, and return its name."""
        raw = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
        temporary = self.inbox / f"{name}.tmp"
        temporary.write_bytes(raw)
        temporary.rename(self.inbox / name)
        return name

    def request(self, given: dict[str, Any] | None = None, **more: Any) -> str:
        """Ask for a take and return the id."""
        name = str((given or more).get("id") or uuid.uuid4())
        body = {"version": 1, "id": name, "action": "generate", "prompt": f"rain {name}", "duration": 1}
        self.write(f"{name}.json", body | (given or {}) | more)
        return name

    def command(self, command: str, **given: Any) -> str:
        name = str(uuid.uuid4())
        self.write(f"{name}.command.json", {"command": command} | given)
        return name

    def confirm(self, result: dict[str, Any]) -> None:
        self.write(f"{result['job']}.{result['delivery']}.placed.json")

    def unplaced(self, result: dict[str, Any], **why: Any) -> None:
        self.write(f"{result['job']}.{result['delivery']}.unplaced.json", why)

    # What it reads

    def status(self, name: str) -> dict[str, Any] | None:
        return self.read(f"{name}.status.json")

    def read(self, name: str) -> dict[str, Any] | None:
        try:
            return dict(json.loads((self.outbox / name).read_bytes()))
        except FileNotFoundError:
            return None
        except PermissionError:  # on Windows, while the bridge replaces it: a script looks again
            if os.name != "nt":
                raise
            return None

    def results(self) -> list[dict[str, Any]]:
        found = [self.read(path.name) for path in sorted(self.outbox.glob("*.result.json"))]
        return [one for one in found if one is not None]

    def rejected(self) -> list[str]:
        folder = self.outbox / "rejected"
        return sorted(path.name for path in folder.glob("[!.]*"))

    def left(self) -> list[str]:
        """What lies in the inbox and is not dealt with."""
        claimed = self.home / "inbox" / ".claimed" / self.client
        names = [path.name for path in self.inbox.iterdir()]
        return names + ([path.name for path in claimed.iterdir()] if claimed.exists() else [])

    # Waiting

    async def until(self, look: Callable[[], Any], *, seconds: float = PATIENCE) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := look()):
                await asyncio.sleep(0.01)
        return found

    async def answer(self, name: str) -> dict[str, Any]:
        return dict(await self.until(lambda: self.status(name)))

    async def in_state(self, name: str, *states: str) -> dict[str, Any]:
        """Wait until every job of a request is in one of the states."""

        def look() -> dict[str, Any] | None:
            told = self.status(name)
            jobs = (told or {}).get("jobs", [])
            return told if jobs and all(job["state"] in states for job in jobs) else None

        return dict(await self.until(look))

    async def result(self) -> dict[str, Any]:
        return dict((await self.until(self.results))[0])
