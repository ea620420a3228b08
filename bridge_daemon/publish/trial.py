"""Tries the way for sources with a short made-up sound: nothing is asked of the service, so it costs nothing."""

from __future__ import annotations

import asyncio
import io
import secrets
import time
import wave
from pathlib import Path
from typing import Any, Final

from bridge_daemon.domain.job import Charge, Job, Parameters, State
from bridge_daemon.domain.request import Place
from bridge_daemon.engine.choice import CLOUD, Choice
from bridge_daemon.errors import NotPublished
from bridge_daemon.publish.publisher import Publishers
from bridge_daemon.util.files import create, discard

_FRAMES: Final = 4410


async def try_out(publishers: Publishers, base_url: str, folder: Path) -> dict[str, Any]:
    """Publish a sound, see it come back by its public address, and withdraw it: {method, tried, seconds, text}.

    The service's upload is not tried: what lies there cannot be taken back.

    Raises:
        NotPublished: this way does not work; nothing was spent.
    """
    engine = Choice(CLOUD, base_url)
    way = publishers.choose(engine)
    text = way.notice() or "sources stay on this machine"
    if way.method == "upload":
        return {"method": way.method, "tried": False, "seconds": None, "text": text}
    file = folder / f"trial-{secrets.token_hex(8)}.wav"
    began = time.monotonic()
    try:
        await asyncio.to_thread(_write, file)
        publication = await way.publish(_job(engine, file), file)
        try:
            if not await way.holds(publication):
                raise NotPublished("The sound was published and cannot be fetched any more. Nothing was spent.")
        finally:
            way.withdraw(publication)
    finally:
        await asyncio.to_thread(discard, file)
    return {"method": way.method, "tried": True, "seconds": round(time.monotonic() - began, 2), "text": text}


def _write(file: Path) -> None:
    with create(file, mode=0o600) as writer:
        writer.write(_sound())


def _sound() -> bytes:
    """Return a tenth of a second of noise: nothing that belongs to anybody, and never twice the same."""
    whole = io.BytesIO()
    with wave.open(whole, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(44_100)
        writer.writeframes(secrets.token_bytes(2 * _FRAMES))
    return whole.getvalue()


def _job(engine: Choice, file: Path) -> Job:
    """Return a job that is in no journal, so that nothing can send it."""
    return Job(
        id=f"trial-{secrets.token_hex(8)}",
        seq=0,
        request_id="trial",
        client=None,
        action="transform",
        preset=None,
        engine=engine.name,
        base_url=engine.base_url,
        model="",
        price=0,
        state=State.PREPARING,
        charge=Charge.NONE,
        parameters=Parameters(prompt="", duration=0.1, seed=1),
        variation=1,
        variations=1,
        place=Place(),
        source_file=str(file),
    )
