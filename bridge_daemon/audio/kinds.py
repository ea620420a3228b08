"""Which format a file begins as, told from its first bytes: its name says nothing."""

from __future__ import annotations

from typing import Final

from bridge_daemon.audio.view import ByteFile

_W64_HEAD: Final = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_RIFF: Final = {b"RIFF": "RIFF", b"RIFX": "RIFX", b"RF64": "RF64", b"BW64": "BW64"}
_PLAIN: Final = {
    b"fLaC": "FLAC",
    b"caff": "CAF",
    b"OggS": "OGG",
    b".snd": "AU",
    b"dns.": "AU",
    b"wvpk": "WV",
    b"\x1a\x45\xdf\xa3": "MKV",
}
_MP4_ATOMS: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
#: What people take for audio and is none that is read, by its first bytes, as the end of "it is …".
_OTHERS: Final = (
    (b"MAC ", "Monkey's Audio"),
    (b"TTA1", "True Audio (TTA)"),
    (b"DSD ", "DSD audio"),
    (b"FRM8", "DSD audio"),
    (b"0&\xb2u\x8ef\xcf\x11", "Windows Media"),
    (b"\x0bw", "Dolby Digital (AC-3)"),
    (b"\x7f\xfe\x80\x01", "DTS"),
    (b"#!AMR", "AMR speech"),
    (b".RMF", "RealMedia"),
    (b"Creative Voice File", "a Creative Voice file"),
    (b"FLV", "Flash video"),
    (b"MThd", "MIDI, which holds notes and no sound"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
_TAGS_MOST: Final = 16  # in front of the sound


def recognise(file: ByteFile) -> tuple[str | None, int]:
    """Return the format of a file, or None, and the offset where it begins: behind ID3 version 2 and APE tags.

    Taggers put those in front of every format, and its readers skip them. What begins with a tag and then with nothing
    else that is known counts as MP3: foreign bytes may lie between the two.
    """
    start = _skip_tags(file)
    file.seek(start)
    head = file.read(48)
    kind = _kind(head)
    return ("MP3", start) if kind is None and start else (kind, start)


def _kind(head: bytes) -> str | None:
    first = head[:4]
    if first in _RIFF:
        return _RIFF[first] if head[8:12] == b"WAVE" else None
    if first == b"FORM":
        return "AIFF" if head[8:12] in (b"AIFF", b"AIFC") else None
    if first in _PLAIN:
        return _PLAIN[first]
    if head[:16] == _W64_HEAD:
        return "W64"
    if head[4:8] in _MP4_ATOMS:
        return "MP4"
    if len(head) < 2 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return "AAC"
    if head[1] & 0xE6 == 0xE4 and head[1] & 0x18 != 0x08:
        return "MP2"
    return "MP3" if head[1] & 0xE0 == 0xE0 else None


def _skip_tags(file: ByteFile) -> int:
    at = 0
    for _ in range(_TAGS_MOST):
        file.seek(at)
        length = tag_length(file.read(32))
        if not length:
            break
        at += length
    return at


def tag_length(head: bytes) -> int:
    """Return the length of the ID3 version 2 or APE tag that begins so, 0 if none does."""
    if len(head) >= 10 and head[:3] == b"ID3":
        footer = 10 if head[5] & 0x10 else 0
        return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + footer
    if len(head) >= 24 and head[:8] == b"APETAGEX" and head[23] & 0x20:  # its header, not its footer
        return 32 + int.from_bytes(head[12:16], "little")
    return 0


def what_instead(file: ByteFile) -> str:
    """Say what a file is that is no audio, as the end of the sentence "it is …", for the messages."""
    file.seek(0)
    begin = file.read(512)
    for mark, what in _OTHERS:
        if begin.startswith(mark):
            return what
    head = begin.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head:
        return "empty"
    if head[:1] == b"<":
        return "a web page or XML"
    if head[:1] in b"{[":
        return "JSON text"
    return "of an unknown format"
