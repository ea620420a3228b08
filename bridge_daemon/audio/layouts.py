"""What the channels of a file stand for, and how they are mixed to stereo.

A channel is a speaker, a track of its own, or a part of an ambisonic sound, and the file says which: WAV by a mask and
a sub-format, the others by chunks and tables that ffmpeg knows and whose names are used here. The mix is that of ITU-R
BS.775: centre and surround at -3 dB, the bass channel left out.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_HALF: Final = math.sqrt(0.5)  # -3 dB: one channel heard from both speakers at the level it had
Share = tuple[float, float]  # what a channel adds to (left, right)
_LEFT: Final[Share] = (1.0, 0.0)
_RIGHT: Final[Share] = (0.0, 1.0)
_CENTRE: Final[Share] = (_HALF, _HALF)
_BEHIND: Final[Share] = (0.5, 0.5)  # surround, at -3 dB, from both
_BASS: Final[Share] = (0.0, 0.0)
_SPEAKERS: Final[dict[str, Share]] = {
    **dict.fromkeys(("FL", "DL", "FLC", "WL"), _LEFT),
    **dict.fromkeys(("FR", "DR", "FRC", "WR"), _RIGHT),
    **dict.fromkeys(("FC", "BFC"), _CENTRE),
    **dict.fromkeys(("BC", "TC", "TFC", "TBC"), _BEHIND),
    **dict.fromkeys(("LFE", "LFE2"), _BASS),
    **dict.fromkeys(("BL", "SL", "TFL", "TBL", "TSL", "SDL", "BFL", "SSL", "TTL"), (_HALF, 0.0)),
    **dict.fromkeys(("BR", "SR", "TFR", "TBR", "TSR", "SDR", "BFR", "SSR", "TTR"), (0.0, _HALF)),
}
#: The bits of a WAV mask, from the lowest on.
_BITS: Final = (
    "FL",
    "FR",
    "FC",
    "LFE",
    "BL",
    "BR",
    "FLC",
    "FRC",
    "BC",
    "SL",
    "SR",
    "TC",
    "TFL",
    "TFC",
    "TFR",
    "TBL",
    "TBC",
    "TBR",
)
#: The usual speakers of so many channels, if a file does not say.
_USUAL: Final = {
    3: "FL FR FC",
    4: "FL FR BL BR",
    5: "FL FR FC BL BR",
    6: "FL FR FC LFE BL BR",
    8: "FL FR FC LFE BL BR SL SR",
}
#: Those of Vorbis and Opus, in the order of their specifications, which libsndfile leaves as it is.
_XIPH: Final = {
    3: "FL FC FR",
    4: "FL FR BL BR",
    5: "FL FC FR BL BR",
    6: "FL FC FR BL BR LFE",
    7: "FL FC FR SL SR BC LFE",
    8: "FL FC FR SL SR BL BR LFE",
}
_MOST_ORDER: Final = 7  # of ambisonic sound


@dataclass(frozen=True, slots=True)
class Layout:
    """The channels of a file: what they are, for people, and what each adds to (left, right)."""

    what: str
    shares: tuple[Share, ...]
    passes: bool = False  # mono, or stereo: it is sent as it is

    @property
    def channels(self) -> int:
        """How many channels are sent."""
        return 1 if len(self.shares) == 1 else 2

    @property
    def loudest(self) -> float:
        """How many times louder than the file the mix can be, at most."""
        return max(1.0, *(sum(share[side] for share in self.shares) for side in (0, 1)))


def as_it_is(channels: int) -> Layout:
    """Return the layout of mono or stereo."""
    return Layout("mono" if channels == 1 else "stereo", (_CENTRE,) if channels == 1 else (_LEFT, _RIGHT), passes=True)


def tracks(channels: int) -> Layout:
    """Return the layout of separate tracks: odd ones go to the left, even ones to the right, at equal level."""
    if channels <= 2:
        return as_it_is(channels)
    level = 1 / math.sqrt(math.ceil(channels / 2))
    shares = tuple((level, 0.0) if k % 2 == 0 else (0.0, level) for k in range(channels))
    return Layout("separate tracks: odd ones left, even ones right", shares)


def speakers(names: Sequence[str], *, told: bool = True) -> Layout:
    """Return the layout of speakers by their names; what has no name that is known is a track of its own."""
    if len(names) == 1 or tuple(names) in (("FL", "FR"), ("BL", "BR"), ("SL", "SR"), ("FLC", "FRC"), ("DL", "DR")):
        return as_it_is(len(names))
    if not any(name in _SPEAKERS for name in names):
        return tracks(len(names))
    aside = iter(range(len(names)))
    shares = tuple(_SPEAKERS.get(name) or ((_HALF, 0.0) if next(aside) % 2 == 0 else (0.0, _HALF)) for name in names)
    listed = " ".join(name if name in _SPEAKERS else "?" for name in names)
    bass = "; LFE, the bass, is left out" if "LFE" in names else ""
    return Layout((listed if told else f"taken as {listed}, since the file does not say") + bass, shares)


def ambisonic(channels: int, *, furse_malham: bool = False) -> Layout:
    """Return the layout of ambisonic sound: two microphones, one to each side.

    The mix needs the first part, W, and the one that tells left from right, Y.
    """
    order = math.isqrt(channels) - 1
    if not 1 <= order <= _MOST_ORDER or channels - (order + 1) ** 2 not in (0, 2):
        return tracks(channels)
    shares: list[Share] = [(0.0, 0.0)] * channels
    shares[0] = (_HALF, _HALF) if furse_malham else (0.5, 0.5)
    shares[2 if furse_malham else 1] = (0.5, -0.5)
    if channels - (order + 1) ** 2 == 2:  # stereo beside it, which does not turn with the head
        shares[-2:] = [_LEFT, _RIGHT]
    return Layout(f"ambisonic sound of order {order}", tuple(shares))


def of_wave(fmt: bytes, channels: int, *, is_ambisonic: bool) -> Layout:
    """Return the layout that a fmt chunk tells: by its mask and sub-format, or none at all."""
    if is_ambisonic:
        return ambisonic(channels, furse_malham=True)
    if len(fmt) < 40 or fmt[:2] != b"\xfe\xff":
        return usual(channels)
    [mask] = struct.unpack("<I", fmt[20:24])
    names = [name for bit, name in enumerate(_BITS) if mask >> bit & 1][:channels]
    return speakers([*names, *[""] * (channels - len(names))]) if names else tracks(channels)


def usual(channels: int) -> Layout:
    """Return the layout of a file that does not say what its channels are."""
    if channels <= 2:
        return as_it_is(channels)
    return speakers(_USUAL[channels].split(), told=False) if channels in _USUAL else tracks(channels)


def of_xiph(channels: int, family: int) -> Layout:
    """Return the layout of Vorbis and Opus, by the channel mapping family of the latter."""
    if channels <= 2:
        return as_it_is(channels)
    if family in (2, 3):
        return ambisonic(channels)
    return speakers(_XIPH[channels].split()) if family in (0, 1) and channels in _XIPH else tracks(channels)


def of_apple(chunk: bytes | None, names: Sequence[str] | None, channels: int) -> Layout:
    """Return the layout that the chunk ``chan`` of CAF or ``CHAN`` of AIFF tells, with the names that ffmpeg reads."""
    if channels <= 2:
        return as_it_is(channels)
    if chunk is None or len(chunk) < 4:
        return usual(channels)
    tag = int.from_bytes(chunk[:2], "big")
    if tag in (190, 191):
        return ambisonic(channels)
    if tag == 107:
        return ambisonic(channels, furse_malham=True)
    return of_names(names, channels)


def of_names(names: Sequence[str] | None, channels: int) -> Layout:
    """Return the layout of channels with the names that ffmpeg gives them."""
    if names is None or len(names) != channels:
        return usual(channels)
    if any(name.startswith("AMBI") for name in names):
        return ambisonic(channels)
    return speakers(names)
