"""The files that the bridge would write, written by a test: the outbox is written, the inbox is read."""

from __future__ import annotations

import json
import os
import time
import wave
from pathlib import Path
from typing import Any


class StandIn:
    """The bridge's side of inbox and outbox."""

    def __init__(self, home: Path, client: str = "reaper") -> None:
        self.home = home
        self.inbox = home / "inbox" / client
        self.outbox = home / "outbox" / client
        self.outbox.mkdir(parents=True)
        (home / "runtime.json").write_text("{}")
        self.beat()

    def _write(self, name: str, data: dict[str, Any]) -> None:
        draft = self.outbox / f"{name}.draft"
        draft.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        os.replace(draft, self.outbox / name)

    def beat(self, **more: Any) -> None:
        """Say that the bridge runs."""
        data = {
            "client": "reaper", "running": True, "beat": 1, "time": time.time(), "every_s": 2.0,
            "version": "0.1.0", "engine": "empiriolabs", "paused": False, "price_usd": 0.58,
            "spent_today_usd": 1.16, "limit_today_usd": 10.0, "confirm_above_usd": 2.0,
            "presets": {"rain": {"prompt": "rain"}}, "jobs": [],
        }  # fmt: skip
        self._write("daemon.json", data | more)

    def requests(self) -> list[dict[str, Any]]:
        """Take the requests out of the inbox."""
        return self._take(lambda name: name.count(".") == 1 and name.endswith(".json"))

    def commands(self) -> list[dict[str, Any]]:
        return self._take(lambda name: name.endswith(".command.json"))

    def words(self) -> list[str]:
        """Take the words about deliveries, as the names of their files."""
        names = sorted(
            one.name for one in self.inbox.iterdir() if one.name.endswith((".placed.json", ".unplaced.json"))
        )
        for name in names:
            (self.inbox / name).unlink()
        return names

    def _take(self, wanted: Any) -> list[dict[str, Any]]:
        found = []
        for path in sorted(self.inbox.iterdir()):
            if path.is_file() and wanted(path.name) and not path.name.startswith("."):
                found.append(json.loads(path.read_text(encoding="utf-8")))
                path.unlink()
        return found

    def request(self) -> dict[str, Any]:
        (found,) = self.requests()
        return found

    def status(self, request: dict[str, Any], *states: str, **more: Any) -> list[str]:
        """Say how far the jobs of a request are; returns their names."""
        jobs = [f"job{request['id'][:6]}{number}" for number in range(1, len(states) + 1)]
        told = [
            {
                "job": job,
                "variation": number,
                "state": state,
                "charge": "none",
                "fraction": 0.4,
                "text": "",
                "seed": 6 + number,
            }
            | more
            for number, (job, state) in enumerate(zip(jobs, states, strict=True), 1)
        ]
        data = {"id": request["id"], "accepted": True, "usd": 0.58, "jobs": told, "updated_at": time.time()}
        self._write(f"{request['id']}.status.json", data)
        return jobs

    def refuse(self, request: dict[str, Any], code: str, message: str) -> None:
        told = {"code": code, "message": message, "charge": "none", "next": "Do something else."}
        self._write(f"{request['id']}.status.json", {"id": request["id"], "refused": told, "usd": 0.0, "jobs": []})

    def take(self, folder: Path, job: str, *, seconds: float = 8.0, rate: int = 48_000) -> tuple[Path, int]:
        folder.mkdir(parents=True, exist_ok=True)
        path, frames = folder / f"rain-{job}.wav", round(seconds * rate)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(3)
            file.setframerate(rate)
            file.writeframes(b"\1\2\3" * 2 * frames)
        return path, frames

    def result(
        self,
        request: dict[str, Any],
        job: str,
        *,
        delivery: int = 1,
        variation: int = 1,
        seconds: float = 8.0,
        **more: Any,
    ) -> Path:
        """Announce a take."""
        path, frames = self.take(self.home / "library" / "2026-11-22", job, seconds=seconds)
        data = {
            "job": job, "id": request["id"], "client": "reaper", "delivery": delivery, "file": str(path),
            "variation": variation, "variations": request.get("variations", 1), "seed": 6 + variation,
            "name": f"rain ({variation})", "rate": 48_000, "frames": frames, "place": request["place"],
        }  # fmt: skip
        self._write(f"{job}.{delivery}.result.json", data | more)
        return path

    def forget(self, job: str, delivery: int = 1) -> None:
        """The bridge has read a word about a delivery: its result goes."""
        (self.outbox / f"{job}.{delivery}.result.json").unlink()
