"""The pages of an Ogg file, walked by ourselves: which codings it holds, where one stream ends and the next begins.

libsndfile reads the first of several chained streams and says nothing of the rest; ffmpeg reads all, and puts 128
frames too many at each joint (measured). So each stream is given to libsndfile as a file of its own. Only the mark on
its last page tells that a file is whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge_daemon.audio.chunks import BadStructure
from bridge_daemon.audio.view import ByteFile

_CODINGS: Final = ((b"\x01vorbis", "VORBIS"), (b"OpusHead", "OPUS"), (b"\x7fFLAC", "FLAC"))
_FIRST, _LAST = 2, 4  # flags of a page
_SEARCH: Final = 1 << 20  # bytes of something else between two pages
_MOST_PAGES: Final = 4_000_000
_MOST_LINKS: Final = 1000


@dataclass(slots=True)
class Link:
    """One stream of a chain, or several that run side by side."""

    start: int
    end: int
    coding: str | None  # of its first stream that is known
    family: int  # channel mapping of Opus
    streams: int = 1


@dataclass(frozen=True, slots=True)
class Ogg:
    """What a walk through all pages found."""

    links: list[Link]
    foreign: int  # bytes between pages
    doubt: str | None  # what is wrong with its end, as the end of "it …"

    @property
    def coding(self) -> str | None:
        """The coding of all streams, None if they differ, or run side by side."""
        codings = {link.coding if link.streams == 1 else None for link in self.links}
        return codings.pop() if len(codings) == 1 else None


def scan(file: ByteFile, size: int) -> Ogg:
    """Walk all pages. Raises BadStructure if there is no sound that is known."""
    links: list[Link] = []
    at, foreign, flags, fresh, doubt = 0, 0, 0, True, None
    for _ in range(_MOST_PAGES):
        file.seek(at)
        head = file.read(27 + 255)
        if head[:5] != b"OggS\0" or len(head) < 27:
            found = _next_page(file, at + 1)
            if found is None:
                break
            foreign += found - at
            at = found
            continue
        body = 27 + head[26]
        length = body + sum(head[27:body])
        if at + length > size or len(head) < body:
            doubt = "ends in the middle of a page"
            break
        flags = head[5]
        if flags & _FIRST:
            _begin(file, at, body, links, fresh=fresh)
        fresh = not flags & _FIRST
        at += length
        if links:
            links[-1].end = at
    if not any(link.coding for link in links):
        raise BadStructure("is an Ogg file without Vorbis, Opus or FLAC")
    if doubt is None and not flags & _LAST:
        doubt = "lacks the mark that ends it"
    return Ogg([link for link in links if link.coding], foreign, doubt)


def _begin(file: ByteFile, at: int, body: int, links: list[Link], *, fresh: bool) -> None:
    """Note the first page of a stream; those that follow one another at once run side by side."""
    file.seek(at + body)
    packet = file.read(40)
    coding = next((name for mark, name in _CODINGS if packet.startswith(mark)), None)
    family = packet[18] if coding == "OPUS" and len(packet) > 18 else 0
    if links and not fresh:
        links[-1].streams += 1
        links[-1].coding = links[-1].coding or coding
    elif len(links) < _MOST_LINKS:
        links.append(Link(at, at, coding, family))
    else:
        raise BadStructure(f"is a chain of more than {_MOST_LINKS} streams")


def _next_page(file: ByteFile, at: int) -> int | None:
    file.seek(at)
    place = file.read(_SEARCH).find(b"OggS\0")
    return None if place < 0 else at + place
