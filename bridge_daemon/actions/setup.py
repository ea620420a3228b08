"""The first run, as the page asks for it: the same steps as ``daw-bridge setup``, each done by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bridge_daemon.errors import Fault, InvalidRequest, WrongState
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.load import Settings

Data = dict[str, Any]
Act = Callable[[Data, bool], Awaitable[str]]


class SetupActions:
    """The verbs of the first run."""

    _home: Home
    _settings: Callable[[], Settings]

    def __init__(self) -> None:
        self._at_it = asyncio.Lock()

    async def status(self) -> Data:
        """Return how the daemon is."""
        raise NotImplementedError

    async def reload_key(self) -> Data:
        """Read the API key again."""
        raise NotImplementedError

    async def try_sources(self) -> Data:
        """Try the way for sources."""
        raise NotImplementedError

    async def change_settings(self, patch: Data, *, by_session: bool, revision: str | None = None) -> Data:
        """Write settings into config.toml."""
        raise NotImplementedError

    async def setup(self) -> Data:
        """Return how each step of the first run stands, and what this machine has for it."""
        from bridge_daemon.care import first_run, steps  # loads what no start waits for

        found = await asyncio.to_thread(first_run.look, self._home, await self.status())
        ways = [
            {"key": name, "about": about, "installed": await asyncio.to_thread(first_run.is_installed, name)}
            for name, about in first_run.TUNNELS.items()
        ]
        ways.append({"key": "upload", "about": "at the service; nobody says how long it is kept", "installed": True})
        return {
            "steps": [one.as_dict() for one in found],
            "ways": ways,
            "daws": await asyncio.to_thread(steps.found_daws, self._home),
            "spend": self._settings().spend.model_dump(mode="json"),
            "presets": sorted(self._settings().presets),
        }

    async def set_up(self, data: Data, *, by_session: bool) -> Data:
        """Do a step, or leave it out, and note that. Raises what the step raises; then it is as it was."""
        from bridge_daemon.care import first_run

        step = data["step"]
        if self._at_it.locked():
            raise WrongState("Another step is being done.", next="Wait until it is done.")
        async with self._at_it:
            if data.get("skip"):
                await asyncio.to_thread(first_run.note, self._home, step, "skipped")
                return {"step": step, "result": "skipped", "text": "left out"}
            acts: dict[str, Act] = {
                "key": self._key,
                "limits": self._limits,
                "start": self._start,
                "sources": self._sources,
                "daws": self._daws,
                "folders": self._folder,
                "midi": self._midi,
                "service": self._service,
                "test": self._test,
            }
            text = await acts[step](data, by_session)
            if step != "service":  # it is seen once it is there
                await asyncio.to_thread(first_run.note, self._home, step, "done")
        return {"step": step, "result": "done", "text": text}

    async def _key(self, data: Data, by_session: bool) -> str:
        from bridge_daemon.care import steps

        text = await asyncio.to_thread(steps.keep_key, self._home, _needed(data, "key"))
        await self.reload_key()
        return text

    async def _limits(self, data: Data, by_session: bool) -> str:
        from bridge_daemon.care import first_run

        names = ("per_day_usd", "per_month_usd", "confirm_above_usd")
        given = {name: data[name] for name in names if data.get(name) is not None}
        if given:
            await self.change_settings({"spend": given}, by_session=by_session)
        return first_run.limits_of(self._settings())

    async def _start(self, data: Data, by_session: bool) -> str:
        return "it runs"  # or nobody would answer

    async def _sources(self, data: Data, by_session: bool) -> str:
        from bridge_daemon.care import first_run

        if data.get("way") is not None:
            await self.change_settings(first_run.sources_patch(data["way"]), by_session=by_session)
        way = first_run.sources_of(self._settings())
        if way is None:
            raise InvalidRequest([Fault("way", None, "is needed: a tunnel program, upload or an https address")])
        return first_run.trial_text(way, await self.try_sources())

    async def _daws(self, data: Data, by_session: bool) -> str:
        from bridge_daemon.care import steps

        done = await asyncio.to_thread(steps.install, self._home, data.get("daws"))
        if not done:
            raise InvalidRequest([Fault("daws", data.get("daws"), "no DAW was found")])
        return " ".join(f"{one.place.title}: {one.next}" for one in done)

    async def _folder(self, data: Data, by_session: bool) -> str:
        from bridge_daemon.care import first_run

        folder = Path(_needed(data, "folder"))
        patch = await asyncio.to_thread(first_run.folder_patch, self._home, folder, data.get("preset"))
        await self.change_settings(patch, by_session=by_session)
        return f"watches {folder}; takes go to a folder beside it, and nothing is sent by itself"

    async def _midi(self, data: Data, by_session: bool) -> str:
        port = _needed(data, "clock_port")
        await self.change_settings({"midi": {"clock_port": port}}, by_session=by_session)
        return f"clock from {port}"

    async def _service(self, data: Data, by_session: bool) -> str:
        from bridge_daemon.care import first_run, steps

        found = await asyncio.to_thread(first_run.look, self._home, None)
        if next(one for one in found if one.step.key == "service").state == "done":
            raise WrongState("The bridge starts at login already.", next="daw-bridge service status")
        await asyncio.to_thread(steps.begin_service)
        return "it is being installed; this bridge ends, and comes back as the service"

    async def _test(self, data: Data, by_session: bool) -> str:
        from bridge_daemon.care import steps

        return await asyncio.to_thread(steps.test_takes)


def _needed(data: Data, name: str) -> str:
    value = data.get(name)
    if not value:
        raise InvalidRequest([Fault(name, None, "is needed for this step")])
    return str(value)
