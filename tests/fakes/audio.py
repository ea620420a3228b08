"""Small real audio, quickly made, and a strict look at the sources that the service is given."""

from __future__ import annotations

import asyncio
import io
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import aiohttp
import numpy as np
import soundfile
from yarl import URL

if TYPE_CHECKING:
    import pytest
    from numpy.typing import NDArray

#: What the model's maker documents.
SOURCE_SECONDS = (6.0, 190.0)
SOURCE_BYTES = 50_000_000
KINDS = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac"}


@lru_cache(maxsize=64)
def render(extension: str, seconds: float, rate: int, channels: int, bits: int, pitch: float) -> bytes:
    """Return a file with a tone of half the full scale; the same arguments make the same bytes."""
    time = np.arange(round(seconds * rate)) / rate
    tone = (0.5 * np.sin(2 * np.pi * pitch * time)).astype("float32")
    file = io.BytesIO()
    subtype = "MPEG_LAYER_III" if extension == "mp3" else f"PCM_{bits}"
    sound = np.column_stack([tone] * channels)
    # libsndfile 1.2.2 copies a whole write onto the stack of the thread in its Vorbis encoder: 190 s at once end the
    # process. So all is written in pieces; the handle is of one thread alone.
    with soundfile.SoundFile(file, "w", rate, channels, subtype=subtype, format=extension.upper()) as writer:
        for at in range(0, len(sound), 8192):
            writer.write(sound[at : at + 8192])
    return file.getvalue()


def source_trouble(data: bytes) -> str | None:
    """Return what is wrong with a source, or None."""
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            kind, frames = file.format, sum(len(block) for block in file.blocks(65536))
            seconds = frames / file.samplerate
    except soundfile.LibsndfileError as error:
        return f"not audio: {error}"
    if kind not in ("WAV", "WAVEX", "MP3"):
        return f"{kind} is neither WAV nor MP3"
    if kind != "MP3" and int.from_bytes(data[4:8], "little") + 8 > len(data):
        return "the file is cut off"
    least, longest = SOURCE_SECONDS
    return None if least <= seconds <= longest else f"{seconds:.3f} s is not within {least:g} to {longest:g} s"


async def fetch_source(url: str, timeout: float) -> dict[str, Any]:
    """Fetch a source as the service would: from outside, with no key. Tell what came and what is wrong with it."""
    seen: dict[str, Any] = {"status": None, "type": None, "size": 0, "trouble": None}
    limits, data = aiohttp.ClientTimeout(total=timeout), bytearray()
    try:
        async with aiohttp.ClientSession(timeout=limits) as session, session.get(URL(url, encoded=True)) as answer:
            seen |= {"status": answer.status, "type": answer.content_type}
            async for part in answer.content.iter_chunked(1 << 20):
                data += part
                if len(data) > SOURCE_BYTES:
                    break
    except (aiohttp.ClientError, TimeoutError) as error:
        return seen | {"size": len(data), "trouble": f"could not be fetched: {type(error).__name__}"}
    if seen["status"] != 200:
        trouble: str | None = f"answered {seen['status']}"
    elif len(data) > SOURCE_BYTES:
        trouble = "larger than 50 MB"
    else:
        trouble = await asyncio.to_thread(source_trouble, bytes(data))
    return seen | {"size": len(data), "trouble": trouble}


def make_instead(monkeypatch: pytest.MonkeyPatch, sound: NDArray[np.floating], rate: int) -> None:
    """Have the service make one sound (frames, or frames × channels), whatever it is asked for."""

    def made(extension: str, *_: Any) -> bytes:
        file = io.BytesIO()
        soundfile.write(file, sound, rate, format=extension.upper(), subtype="PCM_16")
        return file.getvalue()

    monkeypatch.setattr(sys.modules[__name__], "render", made)
