"""The files of the inboxes: whose names count, claiming by moving, reading, and setting aside what cannot be used.

Everything here is work with files, done in a thread. What a script wrote lies in exactly one place at any time: in its
inbox, claimed, or set aside; and a claimed file goes away only when its answer is written. So whatever the moment at
which the process dies, the file is done again at the next start, and its id makes that harmless.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from bridge_daemon.domain import ids
from bridge_daemon.errors import BridgeError, Fault, InvalidRequest, NotJson, TooLarge
from bridge_daemon.frontends.mailbox.whole import is_unfinished, without_end
from bridge_daemon.util import files
from bridge_daemon.util.failpoints import failpoint
from bridge_daemon.util.strict_json import MalformedJson, read_object

#: Largest file that is read, bytes: as a body of the HTTP API.
LARGEST: Final = 64 * 1024
#: Files that are claimed at one look; the rest follows at once.
MOST_AT_ONCE: Final = 64
#: What cannot be read may still be being written until it has not changed for so long, s.
SETTLED: Final = 2.0
#: The beginning of an object, written in place, waits for its end for so long after its last change, s.
UNFINISHED: Final = 60.0
#: A temporary file that was never renamed is set aside after this, s.
FORGOTTEN: Final = 86_400.0
#: Small files that were set aside are removed after this, s, and before it if there are more than so many.
KEEP_REJECTED: Final = 30 * 86_400.0
MOST_REJECTED: Final = 200
#: Where claimed files lie: below the inboxes, since a move out of what is watched makes watchdog wait half a second.
CLAIMED: Final = ".claimed"
REJECTED: Final = "rejected"
_NOISE: Final = frozenset({"thumbs.db", "desktop.ini"})
_LONGEST_NAME: Final = 150
_NAME: Final = re.compile(
    rf"(?P<request>{ids.UUID})\.json"
    rf"|(?P<command>{ids.UUID})\.command\.json"
    rf"|(?P<job>{ids.JOB})\.(?P<delivery>[1-9][0-9]{{0,5}})\.(?P<word>placed|unplaced)\.json"
)
#: An id at the start of a name that is wrong otherwise: whoever wrote it can be told.
_ID: Final = re.compile(rf"(?i)({ids.UUID})\b")


class FileKind(StrEnum):
    """What a file asks for."""

    REQUEST = "request"
    COMMAND = "command"
    PLACED = "placed"
    UNPLACED = "unplaced"


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """A name that counts."""

    kind: FileKind
    id: str = ""  # of a request or command
    job: str = ""
    delivery: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A file that was claimed, and what stands in it."""

    client: str
    path: Path  # where it lies now
    name: Name
    data: dict[str, Any]
    written: float  # UTC, s: when its writer was done with it
    stamp: str  # another file under the same name has another one
    again: bool  # it was claimed before: perhaps it was answered


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectedFile:
    """A file that cannot be used. It lies where it lay until it is set aside."""

    client: str
    path: Path
    id: str  # under which its writer looks for an answer; empty if none can be read from the name
    error: BridgeError


@dataclass(slots=True)
class InboxScan:
    """What one look into an inbox found."""

    claims: list[Claim]
    poison: list[RejectedFile]
    more: bool = False  # there are more than were claimed
    later: bool = False  # something is still being written


def parse_name(text: str) -> Name | None:
    """Return what a file name says, None if it is none of the four."""
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    if found["request"]:
        return Name(kind=FileKind.REQUEST, id=found["request"])
    if found["command"]:
        return Name(kind=FileKind.COMMAND, id=found["command"])
    return Name(kind=FileKind(found["word"]), job=found["job"], delivery=int(found["delivery"]))


def id_in(text: str) -> str:
    """Return the id that a name begins with, as it is spelt there; empty if there is none."""
    found = _ID.match(text)
    return found[1] if found else ""


# Folders


def clients_in(folder: Path) -> tuple[set[str], set[str]]:
    """Return the clients that have a folder there, and the names of what is no folder of a client."""
    clients: set[str] = set()
    others: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in _NOISE:
                continue
            right = ids.is_client(entry.name) and entry.is_dir(follow_symlinks=False)
            (clients if right else others).add(entry.name)
    return clients, others


def make_folder(folder: Path) -> None:
    """Make a folder, closed to others, or close one that a script made. Raises OSError, also for a link to a folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, "it is a link, and links are not followed", os.fspath(folder))
    if sys.platform != "win32" and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        folder.chmod(0o700)


def make_root(inbox: Path) -> tuple[int, int]:
    """Make the folder of the inboxes, and return what tells it from one that is made when it is gone."""
    make_folder(inbox.resolve())
    make_folder(inbox / CLAIMED)
    about = inbox.stat()
    return about.st_dev, about.st_ino


def claimed_clients(inbox: Path) -> set[str]:
    """Return the clients of which claimed files are left, from before a crash."""
    found = clients_in(inbox / CLAIMED)[0]
    return {client for client in found if any((inbox / CLAIMED / client).iterdir())}


# Looking


def look(inbox: Path, client: str, now: float, leave: Collection[Path] = ()) -> InboxScan:
    """Read what was claimed before, then claim and read more, oldest first. ``leave`` names files to pass over for now.

    ``now`` is UTC, s. Raises OSError if the folder cannot be read.
    """
    found = InboxScan([], [])
    claimed = inbox / CLAIMED / client
    for path in _left(claimed):
        if path not in leave:
            _read_claimed(found, client, path, now, again=True)
    for entry in _entries(inbox / client):
        if len(found.claims) + len(found.poison) >= MOST_AT_ONCE:
            found.more = True
            break
        if Path(entry.path) not in leave:
            _take(found, client, entry, claimed, now)
    return found


def _left(claimed: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return [claimed / entry.name for entry in _entries(claimed)]
    return []


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=_age)


def _age(entry: os.DirEntry[str]) -> tuple[int, str]:
    with suppress(OSError):
        return entry.stat(follow_symlinks=False).st_mtime_ns, entry.name
    return 0, entry.name  # gone meanwhile


def _take(found: InboxScan, client: str, entry: os.DirEntry[str], claimed: Path, now: float) -> None:
    """Claim one entry of an inbox, or find out what is wrong with it, or leave it."""
    try:
        about = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    if _is_left_alone(entry.name, about, now):
        return
    path = Path(entry.path)
    wrong = _what_is_wrong(entry.name, about)
    if wrong is None and _is_being_written(path, about, now):
        found.later = True
    elif wrong is None:
        _claim(found, client, path, claimed, now)
    elif stat.S_ISREG(about.st_mode) and 0 <= now - about.st_mtime < SETTLED:
        found.later = True  # perhaps it is being written, under a temporary name other than it should be
    else:
        found.poison.append(_poison(client, path, wrong))


def _is_being_written(path: Path, about: os.stat_result, now: float) -> bool:
    """Return whether a file under its final name is not whole yet: its writer cannot rename, and is at it."""
    if not 0 <= now - about.st_mtime < UNFINISHED or _may_be_empty(path.name):
        return False
    with suppress(BridgeError, FileNotFoundError):
        return is_unfinished(_read(path)[0])
    return False


def _may_be_empty(name: str) -> bool:
    found = parse_name(name)
    return found is not None and found.kind is FileKind.PLACED


def _is_left_alone(name: str, about: os.stat_result, now: float) -> bool:
    if name.startswith(".") or name.lower() in _NOISE:
        return True
    return name.endswith(".tmp") and stat.S_ISREG(about.st_mode) and now - about.st_mtime <= FORGOTTEN


def _what_is_wrong(name: str, about: os.stat_result) -> BridgeError | None:
    if not stat.S_ISREG(about.st_mode):
        return _wrong("is a link, a folder or a device, and no plain file")
    if name.endswith(".tmp"):
        return _wrong("was not renamed for a day")
    if parse_name(name) is None:
        return _wrong(_NAMES)
    if about.st_size > LARGEST:
        return TooLarge(
            f"The file has {about.st_size} bytes; {LARGEST} are allowed. It was not read, nothing was spent."
        )
    return None


def _claim(found: InboxScan, client: str, path: Path, claimed: Path, now: float) -> None:
    target = claimed / path.name
    try:
        claimed.mkdir(mode=0o700, exist_ok=True)
        files.replace(path, target)
    except FileNotFoundError:
        return  # its writer took it back
    except PermissionError:
        found.later = True  # Windows, while its writer holds it open
        return
    failpoint("inbox.claimed")
    _read_claimed(found, client, target, now, again=False)


_NAMES: Final = (
    "has a wrong name. Right ones are <id>.json, <uuid>.command.json, <job>.<delivery>.placed.json and "
    "<job>.<delivery>.unplaced.json, with the UUID in lower case; .tmp while it is written"
)


def _wrong(what: str) -> BridgeError:
    return InvalidRequest([Fault("file", None, what)])


def _poison(client: str, path: Path, error: BridgeError) -> RejectedFile:
    return RejectedFile(client=client, path=path, id=id_in(path.name), error=error)


def _read_claimed(found: InboxScan, client: str, path: Path, now: float, *, again: bool) -> None:
    name = parse_name(path.name)
    if name is None:  # nobody but a person puts such a thing there
        found.poison.append(_poison(client, path, _wrong(_NAMES)))
        return
    try:
        raw, about = _read(path)
        if len(raw) > LARGEST:
            raise TooLarge(f"The file has more than {LARGEST} bytes. Nothing was spent.")
        data = {} if not raw and name.kind is FileKind.PLACED else without_end(read_object(raw))
    except FileNotFoundError:
        return
    except MalformedJson as error:
        if 0 <= now - about.st_mtime < (UNFINISHED if is_unfinished(raw) else SETTLED):
            found.later = True  # it was not renamed when it was whole: its writer may go on writing
        else:
            text = f"The file is no valid JSON object: {error}. Nothing was spent."
            wrong = NotJson(text, next="Write the file again, whole, under a .tmp name, close it, rename it.")
            found.poison.append(_poison(client, path, wrong))
    except BridgeError as error:
        found.poison.append(_poison(client, path, error))
    else:
        stamp = f"{about.st_mtime_ns}-{about.st_size}"
        found.claims.append(
            Claim(client=client, path=path, name=name, data=data, written=about.st_mtime, stamp=stamp, again=again)
        )


def _read(path: Path) -> tuple[bytes, os.stat_result]:
    """Return what stands in a plain file, cut behind what is allowed, and what the system tells of it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | files.UNHINDERED)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _wrong(f"cannot be read ({error.strerror})") from error
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise _wrong("is no plain file")
        return file.read(LARGEST + 1), about


# Afterwards


def done(claim: Claim) -> None:
    """Let go of a claimed file whose answer is written."""
    failpoint("inbox.done")
    files.remove(claim.path, missing_ok=True)
    failpoint("inbox.removed")


def set_aside(outbox: Path, poison: RejectedFile) -> Path:
    """Move a file that cannot be used to ``rejected``, with its reason beside it, and return where it lies now.

    That is in the outbox: watchdog takes it badly where folders are made in each other below what it watches.
    """
    folder = outbox / poison.client / REJECTED
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    make_folder(folder)
    target = _free(folder, "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in poison.path.name))
    error = poison.error
    text = f"{error.code}\n{error.message}\nCharge: {error.charge}\nNext: {error.next_step}\n"
    reason = target.with_name(f"{target.name}.reason.txt")
    files.write_whole(reason, text.encode("utf-8", "replace"), point="reason")
    try:
        files.replace(poison.path, target)
    except FileNotFoundError:
        files.discard(reason)  # its writer took it back
    failpoint("inbox.set_aside")
    return target


def _free(folder: Path, name: str) -> Path:
    name = name[-_LONGEST_NAME:]
    candidates = (folder / name if n == 1 else folder / f"{n}-{name}" for n in range(1, 100_000))
    return next(path for path in candidates if not os.path.lexists(path))


def trim_rejected(outbox: Path, client: str, now: float) -> int:
    """Remove old small files that were set aside, each with its reason. What is no small file stays for the person."""
    small = sorted(_small_rejected(outbox / client / REJECTED), reverse=True)
    old = [
        path for number, (changed, path) in enumerate(small) if number >= MOST_REJECTED or now - changed > KEEP_REJECTED
    ]
    for path in old:
        files.remove(path, missing_ok=True)
        files.remove(path.with_name(f"{path.name}.reason.txt"), missing_ok=True)
    return len(old)


def _small_rejected(folder: Path) -> Iterator[tuple[float, Path]]:
    """Yield when each small file was set aside: when its reason was written."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if (
                entry.name.startswith(".")
                or entry.name.endswith(".reason.txt")
                or not entry.is_file(follow_symlinks=False)
            ):
                continue
            if entry.stat(follow_symlinks=False).st_size <= LARGEST:
                reason = Path(f"{entry.path}.reason.txt")
                about = reason.stat() if reason.exists() else entry.stat(follow_symlinks=False)
                yield about.st_mtime, Path(entry.path)
