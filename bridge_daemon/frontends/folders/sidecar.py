"""Sidecars: a small file beside a render that says what is to be made of it, with any keys of a request."""

from __future__ import annotations

import json
import logging
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.errors import BridgeError, Fault, InvalidRequest
from bridge_daemon.frontends.folders import names as names
from bridge_daemon.settings.sections import WatchedFolder
from bridge_daemon.util import files, strict_json

if TYPE_CHECKING:
    from bridge_daemon.audio.render import RenderFacts

log = logging.getLogger(__name__)
LARGEST: Final = 64 << 10  # bytes
#: How long a sidecar that cannot be read may still be on its way, and between two looks at it, s.
_PATIENCE: Final = 1.0
_PAUSE: Final = 0.1
_RATES: Final = range(8_000, 384_001)  # that a place may name


def read_sidecar(render: Path) -> dict[str, Any] | None:
    """Return what the sidecar of a render says, None if it has none.

    One that cannot be read is looked at again for a second: it may be in the middle of being written. Runs off the
    event loop. Raises InvalidRequest with what is wrong.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return _read(render)
        except InvalidRequest:
            if time.monotonic() > until:
                raise
            time.sleep(_PAUSE)


def _read(render: Path) -> dict[str, Any] | None:
    found = _beside(render)
    if not found:
        return None
    if len(found) > 1:
        raise _wrong(found[0].name, f"there is {found[1].name} too; leave one of them")
    sidecar = found[0]
    try:
        with files.open_plain(sidecar) as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise _wrong(sidecar.name, f"cannot be read: {error.strerror}") from error
    if len(data) > LARGEST:
        raise _wrong(sidecar.name, f"is larger than {LARGEST >> 10} KiB")
    return _parsed(sidecar.name, data)


def _beside(render: Path) -> list[Path]:
    """Return the sidecars that are there; on a disk that takes two spellings of a name for one, each once."""
    found: dict[tuple[int, int], Path] = {}
    for name in names.sidecars(render.name):
        path = render.with_name(name)
        try:
            status = path.lstat()
        except OSError:
            continue
        found.setdefault((status.st_dev, status.st_ino), path)
    return list(found.values())


def _parsed(name: str, data: bytes) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")
        read = tomllib.loads(text) if name.lower().endswith(".toml") else strict_json.read(text)
        # dates and the like become text; what JSON cannot say at all is a fault
        plain = strict_json.read(json.dumps(read, default=str, allow_nan=False))
    except (ValueError, RecursionError) as error:  # also what the decoders of UTF-8, TOML and JSON raise
        raise _wrong(name, f"cannot be read: {error}") from error
    if not isinstance(plain, dict):
        raise _wrong(name, "must be one object of keys and values")
    return plain


def _wrong(name: str, what: str) -> InvalidRequest:
    return InvalidRequest([Fault(name, None, what)])


def body_of(
    *,
    request_id: str,
    source: Path,
    facts: RenderFacts,
    folder: WatchedFolder,
    sidecar: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Make the request of a render. What its sidecar says beats what the folder and the file say.

    Raises InvalidRequest if the sidecar names another source, or has no object where there must be one.
    """
    said = dict(sidecar or {})
    region, place = _table(said, "source"), _table(said, "place")
    if "path" in region:
        raise InvalidRequest([Fault("source.path", region["path"], "is the render that the sidecar lies beside")])
    body: dict[str, Any] = {"version": 1, "action": "transform"}
    if folder.preset is not None:
        body["preset"] = folder.preset
    body |= said
    body["id"] = said.get("id") or request_id
    body["source"] = {"path": str(source)} | region
    body["place"] = _place(facts, folder, region.get("start")) | place
    return body


def _table(said: dict[str, Any], key: str) -> dict[str, Any]:
    value = said.pop(key, {})
    if not isinstance(value, dict):
        raise InvalidRequest([Fault(key, value, "must be an object")])
    return value


def _place(facts: RenderFacts, folder: WatchedFolder, start: Any) -> dict[str, Any]:
    place: dict[str, Any] = {"folder": str(folder.results_path)}
    if facts.position is not None:
        inside = start if isinstance(start, int | float) and not isinstance(start, bool) else 0
        place["position"] = facts.position + inside
    if facts.info.rate in _RATES:  # of the project, most likely; the time stamp then is the same number of frames
        place["sample_rate"] = facts.info.rate
    if facts.tempo is not None:
        place["tempo"] = facts.tempo
    return place


def note_error(render: Path, error: BridgeError) -> None:
    """Write beside a render what is wrong with its sidecar, where its writer looks. OSError when it cannot be."""
    text = f"{error.code}  {error.message}\n\nNext:  {error.next_step}\n"
    files.write_whole(
        render.with_name(names.error_note(render.name)), text.encode("utf-8"), point="sidecar", mode=0o644
    )


def clean(root: Path) -> None:
    """Remove what a process that died left half written; the lock says that nobody else writes here."""
    for part in root.glob(".*.bridge.error.txt.*.part"):
        files.discard(part)


def clear_error(render: Path) -> None:
    """Remove what :func:`note_error` wrote."""
    files.remove(render.with_name(names.error_note(render.name)), missing_ok=True)
