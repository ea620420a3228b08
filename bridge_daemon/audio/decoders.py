"""What turns a view of a file into blocks of samples.

libsndfile reads WAV, AIFF, CAF, W64, AU, FLAC, Ogg and MP3: exact to the sample and quick, also after a seek. What it
does not read (AAC and ALAC, Ogg FLAC, FLAC without a length, WavPack) goes to ffmpeg's libraries, by PyAV.

Measured on 104 kinds of files that ffprobe or sox read: libsndfile alone reads 64, PyAV alone 99, both behind our own
look at the structure 100, and the others are named. PyAV alone will not do: it reads PCM of AIFF wrongly or not at all,
does not tell what is missing, and joins Ogg streams 128 frames off. miniaudio reads nothing that libsndfile does not,
and has no wheels for ARM under Linux and Windows. PyAV takes 0.1 s and 20 MB to load, so it is loaded for such a file
only. Its releases 17.1 to 18.1 end the process with a double free at a channel layout of the file's own: never those.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from bridge_daemon.audio.chunks import BadStructure
from bridge_daemon.audio.view import View

Block = npt.NDArray[np.float64]  # frames × channels, full scale is ±1.0
#: The same as a decoder gives it: as 32 bit if that holds every bit of it.
Samples = npt.NDArray[np.float32] | npt.NDArray[np.float64]
#: Codings of which it does not.
_WIDE: Final = frozenset({"PCM_32", "DOUBLE"})

#: Frames decoded at a time: small enough for the processor's cache.
BLOCK: Final = 16_384
#: Codings whose frames overlap: after a seek, libsndfile's first 1000 frames or so are often not those that decoding
#: from the start gives (measured). So it starts this much earlier, and the lead is dropped.
_LAPPING: Final = frozenset({"OGG", "MP3"})
_LEAD: Final = 16_384
_LAST: Final = 5760  # frames; the longest packet of Opus
_SUBTYPES: Final = frozenset(
    {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ALAW", "ULAW", "IMA_ADPCM", "MS_ADPCM"}
    | {"VORBIS", "OPUS", "MPEG_LAYER_III"}
)
_CONTAINERS: Final = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "FLAC", "OGG", "MP3", "CAF", "AU"})
#: Codecs that ffmpeg may be asked for; PCM besides.
_CODECS: Final = frozenset(
    {"aac", "alac", "flac", "mp2", "mp2float", "mp3", "mp3float", "opus", "libopus", "vorbis", "wavpack"}
)
#: What ffmpeg decodes is kept while the file is open: so many samples at most (2 GiB), and in memory up to here.
_MOST_SAMPLES: Final = 1 << 29
_IN_MEMORY: Final = 64 << 20  # bytes
_SHORT: Final = 0.1  # s; so much less than a container promises is padding of its codec


class Undecoded(Exception):
    """A decoder does not get on. The text ends the sentence "the file …"."""


class Decoder(Protocol):
    """Decodes one sound, from any frame on."""

    container: str
    subtype: str
    rate: int
    channels: int
    frames: int

    def read(self, first: int) -> Iterator[Samples]:
        """Decode from the frame ``first`` to the end, some 20,000 frames at a time at most. Raises Undecoded."""
        ...

    def close(self) -> None:
        """Let go of the library's handle."""
        ...


def sample_type(subtype: str) -> Literal["float32", "float64"]:
    """Return the type that holds every bit of a coding."""
    return "float64" if subtype in _WIDE else "float32"


class SoundFile:
    """Decodes with libsndfile."""

    def __init__(self, view: View) -> None:
        """Raise BadStructure if the header cannot be read, or is of a coding that is not let through."""
        view.seek(0)  # libsndfile takes the place where it is for the beginning
        try:
            self._sound = soundfile.SoundFile(view)
        except (soundfile.SoundFileError, ValueError, TypeError) as error:
            raise BadStructure("has a header that cannot be read") from error
        sound = self._sound
        self.container, self.subtype = sound.format, sound.subtype
        self.rate, self.channels, self.frames = sound.samplerate, sound.channels, sound.frames
        self._type = sample_type(self.subtype)
        #: Three times as fast as to let libsndfile make 32 bit of them; but it decodes FLAC to its own numbers first.
        self._whole = self.subtype == "PCM_16" and self.container != "FLAC"
        if self.container not in _CONTAINERS or self.subtype not in _SUBTYPES:
            sound.close()
            raise BadStructure(f"is {self.container} with {self.subtype}, which is not read")

    def read(self, first: int) -> Iterator[Samples]:
        """Decode from the frame ``first`` to the end."""
        lead = min(first, _LEAD) if self.container in _LAPPING else 0
        at = first - lead
        try:
            self._sound.seek(at)
            while at < self.frames:
                # Opus: where a read begins in the last packet, its samples are wrong (libsndfile 1.2.2, measured)
                count = BLOCK if self.frames - at >= BLOCK + _LAST else BLOCK + _LAST
                block: Samples = self._sound.read(count, "int16" if self._whole else self._type, always_2d=True)
                if len(block) == 0:
                    return
                at += len(block)
                if self._whole:
                    block = np.multiply(block, 2.0**-15, dtype=np.float32)
                if at > first:
                    yield block[max(0, len(block) - (at - first)) :]
        except soundfile.SoundFileError as error:
            raise Undecoded(f"is damaged: it cannot be decoded at {at / self.rate:.2f} s") from error

    def close(self) -> None:
        """Close the handle."""
        self._sound.close()


class Joined:
    """Decodes several sounds as one: the streams of a chained Ogg file."""

    def __init__(self, parts: list[SoundFile]) -> None:
        """Raise BadStructure if they do not fit together."""
        self._parts = parts
        one = parts[0]
        self.container, self.subtype, self.rate, self.channels = one.container, one.subtype, one.rate, one.channels
        self.frames = sum(part.frames for part in parts)
        if any((part.rate, part.channels) != (one.rate, one.channels) for part in parts):
            self.close()
            raise BadStructure("is a chain of streams of several sample rates or numbers of channels")

    def read(self, first: int) -> Iterator[Samples]:
        """Decode from the frame ``first`` to the end."""
        start = 0
        for part in self._parts:
            if first < start + part.frames:
                yield from part.read(max(0, first - start))
            start += part.frames

    def close(self) -> None:
        """Close all handles."""
        for part in self._parts:
            part.close()


class FirstChannels:
    """Decodes the first channels of a sound: the others hold no sound."""

    def __init__(self, whole: Decoder, channels: int) -> None:
        """Leave out all channels but so many."""
        self._whole = whole
        self.container, self.subtype, self.rate, self.frames = whole.container, whole.subtype, whole.rate, whole.frames
        self.channels = channels

    def read(self, first: int) -> Iterator[Samples]:
        """Decode from the frame ``first`` to the end."""
        for block in self._whole.read(first):
            yield block[:, : self.channels]

    def close(self) -> None:
        """Let go of the library's handle."""
        self._whole.close()


@dataclass(slots=True)
class Ffmpeg:
    """Decodes with the libraries of ffmpeg: once, from the start, into a file without a name.

    So every frame is where decoding from the start puts it, and what is damaged is known before anything is sent.
    """

    container: str
    subtype: str = ""
    rate: int = 0
    channels: int = 0
    frames: int = 0
    names: list[str] | None = None  # of the channels
    damaged: int = 0  # packets that could not be decoded
    promised: float | None = None  # s
    tracks: int = 1
    _sound: IO[bytes] = field(default_factory=lambda: tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115

    def read(self, first: int) -> Iterator[Samples]:
        """Return from the frame ``first`` to the end."""
        frame = 4 * self.channels
        self._sound.seek(first * frame)
        while data := self._sound.read(BLOCK * frame):
            yield np.frombuffer(data, np.float32).reshape(-1, self.channels)

    def close(self) -> None:
        """Drop what was decoded."""
        self._sound.close()

    @property
    def missing(self) -> str | None:
        """Say how much of what the container promises is not there."""
        if self.promised is None or self.frames / self.rate >= self.promised - _SHORT:
            return None
        return f"holds {self.frames / self.rate:.2f} of {self.promised:.2f} s of sound"

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what was found in it besides."""
        damaged = f"{self.damaged} damaged parts of it could not be decoded and were left out"
        several = f"the first of its {self.tracks} sound tracks was used"
        return (*([damaged] if self.damaged else []), *([several] if self.tracks > 1 else []))

    def decode(self, view: View, demuxer: str) -> None:
        """Decode all. Raises BadStructure if it cannot be."""
        av = _load()
        view.seek(0)
        try:
            with _open(av, view, demuxer) as opened:
                streams = opened.streams.audio
                if not streams:
                    raise BadStructure("has no sound in it")
                self.tracks = len(streams)
                self._decode(av, opened, streams[0])
        except (av.FFmpegError, ValueError) as error:
            raise BadStructure("has a header that cannot be read, or is cut off") from error
        if not self.frames:
            raise BadStructure("has no sound in it that can be decoded")

    def _decode(self, av: Any, opened: Any, stream: Any) -> None:
        codec = stream.codec_context.name
        if codec not in _CODECS and not codec.startswith("pcm_"):
            raise BadStructure(f"is coded as {codec}, which is not read; make a WAV or FLAC of it")
        if stream.duration is not None and stream.time_base is not None and self.container != "AAC":
            self.promised = float(stream.duration * stream.time_base)
        for packet in opened.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                self.damaged += 1
                continue
            for frame in frames:
                self._keep(frame, codec)

    def _keep(self, frame: Any, codec: str) -> None:
        samples = _floats(frame)
        if not self.rate:
            self.rate, self.channels = frame.sample_rate, samples.shape[1]
            self.names = [channel.name for channel in frame.layout.channels]
            kept = {"s16": "PCM_16", "s32": "PCM_24", "u8": "PCM_U8"}.get(frame.format.name.removesuffix("p"))
            self.subtype = kept or codec.upper()
        if (frame.sample_rate, samples.shape[1]) != (self.rate, self.channels):
            raise BadStructure(f"changes its sample rate or its channels at {self.frames / self.rate:.2f} s")
        self.frames += len(samples)
        if self.frames * self.channels > _MOST_SAMPLES:
            raise BadStructure("is too long to be read in this format; make a WAV or FLAC of it")
        self._sound.write(samples.tobytes())


def _floats(frame: Any) -> npt.NDArray[np.float32]:
    """Return the samples of a decoded frame, full scale ±1.0, as frames × channels."""
    data = frame.to_ndarray()
    samples = data.T if frame.format.is_planar else data.reshape(-1, frame.layout.nb_channels)
    if samples.dtype.kind == "u":
        return np.asarray((samples.astype(np.float32) - 128) / 128, np.float32)
    if samples.dtype.kind == "i":
        return np.asarray(samples / float(-int(np.iinfo(samples.dtype).min)), np.float32)
    return np.ascontiguousarray(samples, dtype=np.float32)


def decode_all(view: View, container: str, demuxer: str) -> Ffmpeg:
    """Decode a whole file with ffmpeg. Raises BadStructure."""
    decoder = Ffmpeg(container)
    try:
        decoder.decode(view, demuxer)
    except BaseException:
        decoder.close()
        raise
    return decoder


def channel_names(view: View, demuxer: str) -> list[str] | None:
    """Return what ffmpeg calls the channels of a file; None if it does not read it."""
    try:
        av = _load()
    except BadStructure:
        return None
    view.seek(0)
    try:
        with _open(av, view, demuxer) as opened:
            return [channel.name for channel in opened.streams.audio[0].codec_context.layout.channels]
    except (av.FFmpegError, ValueError, IndexError):
        return None


def _open(av: Any, view: View, demuxer: str) -> Any:
    """Open a file. Its texts may be in any encoding: PyAV 19 takes them as they are, before it has to be told."""
    told = {} if int(av.__version__.partition(".")[0]) >= 19 else {"metadata_errors": "replace"}
    return av.open(view, format=demuxer, **told)


def _load() -> Any:
    try:
        import av
        import av.error
    except ImportError as error:
        raise BadStructure("needs PyAV, which is not installed here; make a WAV or FLAC of it") from error
    return av
