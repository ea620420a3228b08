"""What can be done about the renders in watched folders, whatever way in is used."""

from __future__ import annotations

from typing import Any, Protocol

from bridge_daemon.errors import NotFound, invalid
from bridge_daemon.spending.prices import dollars

Answer = dict[str, Any]


class RenderList(Protocol):
    """What is asked of the intake of watched folders; see ``intake.folders.Folders``."""

    def about(self) -> Answer:
        """Return the folders."""
        ...

    async def renders(
        self, *, folder: str | None, states: list[str] | None, before: int | None, limit: int
    ) -> list[Answer]:
        """Return the renders in the list, newest first."""
        ...

    async def send(self, entry: int | str, *, again: bool, request_id: str | None, confirm_usd: float | None) -> Answer:
        """Make a job of a render."""
        ...

    async def forget(self, entry: int | str) -> Answer:
        """Remove a waiting render from the list."""
        ...


class RenderActions:
    """The verbs of renders. Each raises a BridgeError that says what happened, and whether money was spent."""

    folders: RenderList | None = None  # the daemon sets it once the folders are open

    def _list(self) -> RenderList:
        if self.folders is None:
            raise NotFound("No folder is watched yet: the bridge is starting.", next="Ask again in a moment.")
        return self.folders

    def watched_folders(self) -> Answer:
        """Return the watched folders: {folders, waiting}."""
        return self._list().about()

    async def renders(self, *, folder: str | None, states: list[str], before: int | None, limit: int) -> list[Answer]:
        """Return renders, newest first. No states means all but the forgotten ones."""
        return await self._list().renders(folder=folder, states=states, before=before, limit=limit)

    async def send_render(self, data: Answer) -> Answer:
        """Make a job of a render: {entry, id, again, confirm_usd}. It may cost, so it carries the id of its press."""
        again, usd = data.get("again", False), data.get("confirm_usd")
        if not isinstance(again, bool):
            raise invalid("again", again, "must be true or false")
        confirm_usd = dollars(usd)
        if usd is not None and confirm_usd is None:
            raise invalid("confirm_usd", usd, "must be a number of dollars")
        request_id = data.get("id")
        if not isinstance(request_id, str):
            raise invalid("id", request_id, "must be a UUID, made new for each press: this may cost")
        return await self._list().send(_entry(data), again=again, request_id=request_id, confirm_usd=confirm_usd)

    async def forget_render(self, data: Answer) -> Answer:
        """Remove a waiting render from the list; its file is not touched."""
        return await self._list().forget(_entry(data))


def _entry(data: Answer) -> int | str:
    entry = data.get("entry")
    if isinstance(entry, bool) or not isinstance(entry, int | str) or entry == "" or len(str(entry)) > 4096:
        raise invalid("entry", entry, "must be the number, the path or the name of a render in the list")
    return entry
