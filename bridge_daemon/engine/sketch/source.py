"""How the sketch engine gets at the audio that ``audio_url`` names, with limits on everything that others decide."""

from __future__ import annotations

import asyncio
import io
import math
from typing import Final

import aiohttp
import numpy as np
import numpy.typing as npt
import soundfile as sf
from yarl import URL

from bridge_daemon import __version__
from bridge_daemon.engine.address import exact, next_hop
from bridge_daemon.engine.download import PublicResolver, is_private_number
from bridge_daemon.engine.outgoing import on_this_machine, session
from bridge_daemon.settings.sections import is_loopback

MAX_BYTES: Final = 64 << 20
MAX_RATE: Final = 192_000  # frames a second
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, sock_connect=5, sock_read=20)
_REDIRECTS: Final = 3
_AGENT: Final = f"daw-bridge-sketch/{__version__}"
#: How files begin that the decoder is given: WAV, AIFF, FLAC, Ogg, CAF, MP3.
_SOUNDS: Final = (b"RIFF", b"RF64", b"FORM", b"fLaC", b"OggS", b"caff", b"ID3", b"\xff\xfb", b"\xff\xfa", b"\xff\xf3")
#: Waits in s before trying again if nobody listens yet: after a restart, this engine may be up first.
_PAUSES: Final = (0.2, 0.6, 1.2)


class SourceTrouble(Exception):
    """The reference cannot be used; the message is for the person who asked."""


async def fetch(address: str, ours: str | None = None) -> bytes:
    """Return what lies at ``address``; with ``ours``, only what the bridge itself publishes there.

    The message of a SourceTrouble never holds the address: it may be a capability.
    """
    if ours is not None and not address.startswith(f"{ours}/source/"):
        raise SourceTrouble("audio_url is no source of this bridge")
    url = _checked(address)
    for pause in (*_PAUSES, None):
        try:
            return await _follow(url, redirects=_REDIRECTS if ours is None else 0)
        except aiohttp.ClientConnectorError as error:
            if pause is None:
                raise SourceTrouble("audio_url could not be fetched: nobody answers there") from error
            await asyncio.sleep(pause)
        except TimeoutError as error:
            raise SourceTrouble("audio_url could not be fetched: it took too long") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise SourceTrouble(f"audio_url could not be fetched: {type(error).__name__}") from error
    raise AssertionError("the last turn returns or raises")


async def _follow(url: URL, redirects: int) -> bytes:
    for _ in range(redirects + 1):
        # redirects are followed here, so that each address is checked as the first one was
        resolver = PublicResolver() if url.scheme == "https" else None
        async with (
            session(_TIMEOUT, resolver=resolver) as wire,
            wire.get(url, allow_redirects=False, headers={"User-Agent": _AGENT}) as answer,
        ):
            if answer.status in {301, 302, 303, 307, 308}:
                url = _checked(str(next_hop(url, answer.headers.get("Location", ""))))
                continue
            if answer.status != 200:
                raise SourceTrouble(f"audio_url could not be fetched: it answers {answer.status}")
            return await _read(answer)
    raise SourceTrouble("audio_url could not be fetched: too many redirects")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in answer.content.iter_chunked(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise SourceTrouble(f"audio_url is larger than {MAX_BYTES >> 20} MiB")
    return await asyncio.to_thread(b"".join, pieces)  # copying so much would hold the loop up


def _checked(address: str) -> URL:
    """Let https pass, and http to this machine only."""
    try:
        url = exact(address)
    except ValueError as error:
        raise SourceTrouble("audio_url is not a URL: it must be https, or http on this machine") from error
    host = url.host or ""
    if url.scheme == "https" and not on_this_machine(host) and not is_private_number(host):
        return url
    if url.scheme == "http" and is_loopback(host):
        return url
    raise SourceTrouble("audio_url must be https, or http on this machine")


def decode(data: bytes, seconds: float) -> tuple[npt.NDArray[np.float32], int]:
    """Return at most ``seconds`` of audio as (frames, channels) and its rate."""
    if not data.startswith(_SOUNDS):
        raise SourceTrouble("audio_url is not audio of a format that is known")
    try:
        with sf.SoundFile(io.BytesIO(data)) as file:
            if file.channels > 2 or file.samplerate > MAX_RATE:
                raise SourceTrouble(f"audio_url must be mono or stereo and at most {MAX_RATE} Hz")
            audio = file.read(math.ceil(seconds * file.samplerate), dtype="float32", always_2d=True)
            rate = int(file.samplerate)
    except (sf.SoundFileError, RuntimeError) as error:
        raise SourceTrouble("audio_url is not audio that can be read") from error
    if audio.shape[0] == 0:
        raise SourceTrouble("audio_url holds no audio")
    return np.asarray(audio, dtype=np.float32), rate
