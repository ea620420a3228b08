"""Live for tests: a Node program that runs the built devices against a strict stand-in of Max and Live."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bridge_daemon.home.paths import Home
from bridge_daemon.home.runtime import Runtime

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "max_for_live" / "built"
AUDIO = BUILT / "Daw Bridge.amxd"
MIDI = BUILT / "Daw Bridge MIDI.amxd"
_RIG = Path(__file__).parent / "rig" / "rig.js"


class Trouble(AssertionError):
    """The rig could not do what it was told."""


class Player:
    """One Live with any number of devices."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self.folder = folder  # the User Library of this test

    async def do(self, what: str, **given: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        number = next(self._numbers)
        self._process.stdin.write(json.dumps({"n": number, "do": what} | given).encode() + b"\n")
        async with asyncio.timeout(30):
            line = await self._process.stdout.readline()
        if not line:
            raise Trouble("the rig is gone")
        answer = json.loads(line)
        if "error" in answer:
            raise Trouble(answer["error"])
        return answer["ok"]

    async def open(self, device: str = "a", *, amxd: Path = AUDIO, home: Path | None = None, **given: Any) -> None:
        """Put a device on a track, beside the small file that the installer writes."""
        if home is not None:
            self.configure(home)
        await self.do("open", device=device, amxd=str(amxd), path=str(self.folder / amxd.name), **given)

    def configure(self, home: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        told = {"version": 1, "home": str(home), "installed_by": "0.1.0"}
        (self.folder / "daw-bridge.json").write_text(json.dumps(told), encoding="utf-8")

    async def click(self, control: str, device: str = "a") -> None:
        await self.do("use", device=device, control=control)

    async def type(self, control: str, text: str, device: str = "a") -> None:
        """Type into a field without Return."""
        await self.do("type", device=device, control=control, value=text)

    async def set(self, device: str = "a", /, **controls: Any) -> None:
        """Set controls by their long names, with _ for a space."""
        for name, value in controls.items():
            await self.do("use", device=device, control=name.replace("_", " "), value=value)

    async def panel(self, device: str = "a") -> dict[str, Any]:
        return await self.do("panel", device=device)

    async def live(self, **given: Any) -> dict[str, Any]:
        """Do something in Live, and return how the set is then."""
        return await self.do("live", **given)

    async def logs(self, device: str = "a") -> dict[str, Any]:
        return await self.do("logs", device=device)

    async def sent(self, address: str, device: str = "a") -> list[dict[str, Any]]:
        """What a device sent to an address, as pairs."""
        logs = await self.logs(device)
        return [_pairs(entry["message"]) for entry in logs["sent"] if entry["message"][0] == address]

    async def until(
        self, found: Callable[[dict[str, Any]], Any], device: str = "a", *, seconds: float = 20.0
    ) -> dict[str, Any]:
        """Wait until the panel shows what is wanted; return the panel."""
        panel: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds):
                while not found(panel := await self.panel(device)):
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise Trouble(
                f"never seen; the panel shows {panel}, the console {(await self.logs(device))['console']}"
            ) from error
        return panel

    async def until_line(self, text: str, device: str = "a", *, seconds: float = 20.0) -> None:
        """Wait until any line of a device says so."""
        lines: list[str] = []
        try:
            async with asyncio.timeout(seconds):
                while text not in " ".join(lines := await self.do("lines", device=device)):
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise Trouble(f"never seen: {lines}, the console {(await self.logs(device))['console']}") from error

    async def until_status(self, text: str, device: str = "a", *, seconds: float = 20.0) -> dict[str, Any]:
        return await self.until(lambda panel: text in panel["status"], device, seconds=seconds)

    async def connected(self, device: str = "a") -> dict[str, Any]:
        return await self.until(lambda panel: panel["light"] == 1, device)

    async def until_set(self, found: Callable[[dict[str, Any]], Any], *, seconds: float = 20.0) -> dict[str, Any]:
        """Wait until the set is as wanted; return it."""
        about: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds):
                while not found(about := await self.live()):
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise Trouble(f"never so; the set is {json.dumps(about)[:1500]}, panel {await self.panel()}") from error
        return about

    async def until_sent(
        self, address: str, device: str = "a", *, count: int = 1, seconds: float = 20.0
    ) -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(seconds):
            while len(found := await self.sent(address, device)) < count:
                await asyncio.sleep(0.02)
        return found[count - 1]

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


def _pairs(message: list[Any]) -> dict[str, Any]:
    values = message[1:]
    return dict(zip(values[::2], values[1::2], strict=True))


def placed(about: dict[str, Any]) -> list[dict[str, Any]]:
    """Every clip of a set, with where it is."""
    found = []
    for track in about["tracks"]:
        for slot, clip in enumerate(track["slots"]):
            found += [clip | {"track": track["name"], "slot": slot}] if clip else []
        found += [clip | {"track": track["name"], "slot": None, "lane": None} for clip in track["clips"]]
        for number, lane in enumerate(track["lanes"]):
            found += [clip | {"track": track["name"], "slot": None, "lane": number} for clip in lane]
    return found


@asynccontextmanager
async def player(folder: Path, *, speed: float = 1.0, silent: bool = True, **live: Any) -> AsyncIterator[Player]:
    """Run a Live. ``speed``: how many of its seconds pass in one of ours. ``silent``: its console must stay empty."""
    process = await asyncio.create_subprocess_exec(
        "node", str(_RIG), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24
    )
    # a space in it, as in the real one
    made = Player(process, folder / "User Library" / "Daw Bridge")
    try:
        await made.do("begin", speed=speed, live=live)
        yield made
        if silent:
            devices = await made.do("console")
            assert devices == [], devices
    finally:
        await made.end()


def pretend_running(home: Path, port: int | None) -> Home:
    """Make a home that looks as if a bridge ran in it."""
    made = Home(home)
    made.prepare()
    runtime = Runtime(pid=1, http_url="http://127.0.0.1:1", osc_port=port, version="0.1.0", started_at=0.0)
    made.write_runtime(runtime)
    return made
