"""A take: proving that what came from the service is whole audio, and making the file for the timeline of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bridge_daemon.audio import convert
from bridge_daemon.audio.apart import open_audio
from bridge_daemon.audio.decoders import Samples
from bridge_daemon.audio.opening import OpenAudio
from bridge_daemon.audio.wav import Bext, WavWriter
from bridge_daemon.audio.workers import Died
from bridge_daemon.errors import DecoderDied, SourceRefused, Trouble, Undecodable
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import failpoint

#: Far beyond what any model makes: what is longer is no take, and must not fill the disk.
LONGEST = 30 * 60  # s
#: Samples of all channels that a take may have, in the original and in the finished file (0.8 GB at 24 bit).
MOST_SAMPLES = 1 << 28
#: How far the length may differ from what the service says (s): MP3 pads, and services round.
TOLERANCE = 0.25


@dataclass(frozen=True, slots=True)
class Verified:
    """An original that was decoded to its very end."""

    container: str
    subtype: str
    rate: int
    channels: int
    frames: int
    seconds: float
    encoder_delay_cut: int  # frames of MP3 encoder delay before the sound, left out in the take
    peak: float  # of full scale
    notes: tuple[str, ...] = ()  # for people


@dataclass(frozen=True, slots=True)
class TakeFile:
    """The finished take, as it lies in its ``.part`` file."""

    frames: int
    rate: int
    channels: int
    sha256: str
    notes: tuple[str, ...] = ()


def _trouble(error: SourceRefused) -> Trouble:
    """Return what is wrong with a take: with its file, or with its decoder, of which nothing follows for the file."""
    if isinstance(error, Died):
        return DecoderDied(error.message, charge="confirmed")
    return _undecodable(error.message)


def _undecodable(message: str) -> Undecodable:
    return Undecodable(message, charge="confirmed")


def _check_length(audio: OpenAudio, declared_seconds: float | None) -> None:
    info = audio.info
    name = f'"{info.path.name}"'
    if info.seconds > LONGEST:
        raise _undecodable(f"{name} claims to be {info.seconds / 60:.0f} minutes long, which no take is.")
    if info.frames * info.channels > MOST_SAMPLES:
        raise _undecodable(
            f"{name} claims {info.channels} channels of {info.rate} frames a second for {info.seconds:.0f} s, "
            "which would fill the disk and which no take is."
        )
    if audio.missing:
        raise _undecodable(f"{name} is cut off: it {audio.missing}.")
    if declared_seconds is not None:
        if abs(info.seconds - declared_seconds) > TOLERANCE:
            raise _undecodable(f"{name} is {info.seconds:.2f} s long, and the service says {declared_seconds:.2f} s.")
    elif audio.doubt:
        # with a length from the service that fits, an untidy end is none of our business
        raise _undecodable(f"{name} is cut off: it {audio.doubt}.")


def _verified(audio: OpenAudio, peak: float) -> Verified:
    info = audio.info
    notes: tuple[str, ...] = ()
    if info.container == "MP3":
        assumed = "" if audio.delay_known else " (that of LAME; the file does not tell its own)"
        notes = (f"came as MP3; {audio.delay_cut} frames of encoder delay were cut{assumed}",)
    if audio.doubt:
        notes = (*notes, f"{audio.doubt}, and has the length that the service says")
    notes = (*notes, *audio.notes)
    if peak < convert.SILENCE:
        notes = (*notes, "the take is silent")
    return Verified(
        info.container, info.subtype, info.rate, info.channels, info.frames, info.seconds, audio.delay_cut, peak, notes
    )


def make_take(
    original: Path,
    target_part: Path,
    *,
    declared_seconds: float | None = None,
    rate: int | None,
    cut_seconds: float | None,
    bext: Callable[[int], Bext],
    info: Mapping[str, str],
) -> tuple[Verified, TakeFile]:
    """Decode the original to its end, once, and write the take meanwhile, Broadcast Wave with PCM 24 bit.

    It lies at ``target_part`` then, flushed to the disk; the caller renames it. ``declared_seconds`` is the length that
    the service says the original has. ``rate`` None keeps the original's; ``bext`` is called with the rate of the take.
    ``cut_seconds`` cuts a longer take back to that length, with a short fade.

    Raises Undecodable, with ``charge`` confirmed (the job was paid for), when the original is no audio, is cut off, or
    is not of the declared length; DecoderDied when that could not be found out; OSError when the file cannot be
    written. Whichever it is, ``target_part`` is removed.
    """
    try:
        with open_audio(original, cut_delay=True) as audio:
            _check_length(audio, declared_seconds)
            return _write(audio, target_part, rate or audio.info.rate, cut_seconds, bext, info)
    except SourceRefused as error:
        files.discard(target_part)
        raise _trouble(error) from error
    except BaseException:
        files.discard(target_part)
        raise


def _write(
    audio: OpenAudio,
    part: Path,
    rate: int,
    cut_seconds: float | None,
    bext: Callable[[int], Bext],
    info: Mapping[str, str],
) -> tuple[Verified, TakeFile]:
    source = audio.info
    kept: tuple[str, ...] = ()
    if convert.resampled_length(source.frames, source.rate, rate) * source.channels > MOST_SAMPLES:
        kept = (f"the take stays at {source.rate} frames a second: at {rate} it would fill the disk",)
        rate = source.rate
    original, sound = convert.Meter(audio.samples()), convert.Meter(())
    gain, notes = 1.0, kept
    with files.create(part) as file:
        while True:
            sound.watch(_sound(audio, original, rate, cut_seconds))
            with WavWriter(file, rate=rate, channels=source.channels, bext=bext(rate), info=info) as writer:
                for block in convert.scale(sound, gain):
                    writer.write(block)
            for _ in original:  # behind the cut: all of it is proved
                pass
            if gain != 1.0:
                break
            # resampling overshoots, and what it makes of a loud sound counts; else the sound itself
            overshoots = rate != source.rate and original.peak > convert.SAFE_PEAK
            gain, told = convert.gain_for(sound.peak if overshoots else original.peak)
            notes = (*told, *kept)
            if gain == 1.0:
                break
            file.seek(0)  # it is written once more, turned down
            original.watch(audio.samples())
        failpoint("file.take.write")
        digest = files.flush_and_hash(file, part)
    made = TakeFile(writer.frames, rate, source.channels, digest, notes)
    return _verified(audio, original.peak), made


def _sound(audio: OpenAudio, blocks: Iterable[Samples], rate: int, cut_seconds: float | None) -> Iterator[Samples]:
    info = audio.info
    resampled = convert.resample(blocks, info.rate, rate, info.channels, "VHQ")
    if cut_seconds is None:
        return resampled
    frames = max(1, math.floor(cut_seconds * rate + 0.5))
    if frames >= convert.resampled_length(info.frames, info.rate, rate):
        return resampled
    return convert.cut(resampled, frames, rate)


def time_reference(position: float | None, time_offset: float | None, rate: int) -> tuple[int, str | None]:
    """Return round((position + time_offset) × rate), halves up, and a note where it had to be something else.

    Both are in seconds, and are taken as the decimal numbers that they were sent as: 0.1 is a tenth, not the binary
    number next to it. Before 0 there is no time stamp in Broadcast Wave; such a take gets 0.
    """
    seconds = Fraction(repr(float(position or 0))) + Fraction(repr(float(time_offset or 0)))
    frames = math.floor(seconds * rate + Fraction(1, 2))
    if frames < 0:
        return 0, f"its time stamp is 0, because {float(seconds):g} s lies before 0, which Broadcast Wave cannot say"
    return frames, None
