"""Checks of this machine: home, settings, ports, journal, disk, folders, MIDI."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bridge_daemon.care.finding import Examined, fail, ok, warn
from bridge_daemon.domain.finding import Finding
from bridge_daemon.errors import HomeUnsafe, JournalUnusable, StoreAway
from bridge_daemon.util.files import discard, free_bytes

if TYPE_CHECKING:
    from bridge_daemon.settings.sections import JournalSettings

_LITTLE: Final = 5 << 30
#: Names of folders that other programs carry to other machines.
_SYNCED: Final = (
    "dropbox",
    "onedrive",
    "google drive",
    "googledrive",
    "icloud",
    "mobile documents",
    "nextcloud",
    "pcloud",
)
_EVENT: Final = 5.0  # s until an event must have come
_NOT_RUN: Final = "daw-bridge start"


def home(it: Examined) -> Finding:
    """Check that the home is there, ours, and closed to others."""
    path = it.home.path
    if not path.exists():
        return warn(f"There is no home yet ({path}).", "daw-bridge start makes it")
    try:
        it.home.read_token()
    except HomeUnsafe as error:
        return fail(error.message, error.next_step)
    if sys.platform != "win32" and path.stat().st_mode & 0o077:
        return fail(f"Other users of this machine can look into the home {path}.", f"chmod 700 '{path}'")
    closed = "" if sys.platform != "win32" else " (its access list is not checked)"
    return ok(f"{path}, closed to others{closed}")


def settings(it: Examined) -> Finding:
    """Check config.toml and the environment."""
    from bridge_daemon.settings.load import read

    _, faults = read(it.home.config, os.environ)
    if faults:
        return fail("; ".join(str(one) for one in faults), "Correct config.toml; daw-bridge config check")
    return ok(f"{it.home.config} has no fault")


def daemon(it: Examined) -> Finding:
    """Tell whether the daemon runs, in which version, and whether sending is paused."""
    from bridge_daemon import __version__

    if it.waits is not None:
        return warn(it.waits.message, it.waits.next_step)
    if it.status is None:
        return warn(f"The bridge does not run (home {it.home.path}).", _NOT_RUN)
    if it.status["version"] != __version__:
        return warn(
            f"Version {it.status['version']} runs, and this is {__version__}.", "daw-bridge stop, then daw-bridge start"
        )
    if it.status["paused"]:
        return warn(f"Sending is paused: {it.status['paused'].get('text', '')}", "daw-bridge resume")
    return ok(f"Version {__version__} runs at {it.status['http_url']} (pid {it.status['pid']})")


def ports(it: Examined) -> Finding:
    """Check that the ports are ours, or can be had."""
    from bridge_daemon.util.loopback import open_sockets
    from bridge_daemon.util.port_holder import port_taken

    settings = it.settings
    if it.status is not None:
        trouble = (it.status.get("osc") or {}).get("trouble")
        if trouble:
            return fail(f"OSC hears nothing: {trouble}", "daw-bridge stop, then daw-bridge start")
        return ok(f"HTTP {it.status['http_url']}, OSC port {it.status['osc_port'] or 'switched off'}")
    if it.waits is not None:
        return ok("HTTP answers; OSC is opened once the database of the studio is there")
    wanted: list[tuple[str, str, int, socket.SocketKind]] = [
        ("[http] port", settings.http.host, settings.http.port, socket.SOCK_STREAM)
    ]
    if settings.osc.enabled:
        wanted.append(("[osc] port", settings.osc.host, settings.osc.port, socket.SOCK_DGRAM))
    for name, host, port, kind in wanted:
        try:
            for sock in open_sockets(host, port, kind):
                sock.close()
        except OSError as error:
            taken = port_taken(f"Port {port} ({name})", error, port, "tcp" if kind is socket.SOCK_STREAM else "udp")
            return fail(taken.message, taken.next_step)
    return ok("The ports for HTTP and OSC are free")


def journal(it: Examined) -> Finding:
    """Check that the journal is whole, and of a version that is known."""
    from bridge_daemon.journal import schema

    settings = it.settings.journal
    if settings.url is not None:
        return _studio(it, settings)
    path = it.home.journal
    if not path.exists():
        return ok("There is no journal yet; nothing was ever asked for")
    try:
        found = schema.revision(path)
        schema.refuse_newer(path, found)
    except JournalUnusable as error:
        return fail(error.message, error.next_step)
    return ok(f"The journal is whole (revision {found})")


def _studio(it: Examined, settings: JournalSettings) -> Finding:
    from bridge_daemon.studio import checks, database, leases

    try:
        with database.opened(it.home, settings) as studio:
            me = leases.name_of(it.home.read_token(), leases.ROOM, studio.room)
            found = checks.look(studio, it.settings.engine, me)
    except JournalUnusable as error:
        return fail(error.message, error.next_step)
    for one in found:
        if one.state == "fail":
            return one
    answers = f"The journal of the studio answers; this is the room {studio.room}"
    stored = _store(it, answers, studio.studio) if it.settings.store.url is not None else ok(answers)
    doubts = [one for one in found if one.state == "warn"]
    return doubts[0] if stored.state == "ok" and doubts else stored


def _store(it: Examined, answers: str, studio: str) -> Finding:
    from bridge_daemon.studio import objects

    store = objects.of_settings(it.settings.store, it.home)
    try:
        mark = asyncio.run(store.mark())  # this is a thread
    except StoreAway as error:
        return fail(f"{answers}. {error.message}", error.next_step)
    if mark is None:
        return warn(
            f"{answers}. Its store {store.where} has no {objects.MARK}, which the first bridge that runs makes.",
            "Is the share mounted, and [store] url right?",
        )
    if mark != objects.mark_of(studio):
        return fail(f"{answers}. {store.where} is the store of another studio.", "Correct [store] url in config.toml.")
    return ok(f"{answers}, and its store {store.where} answers")


def journal_place(it: Examined) -> Finding:
    """Check that no program carries the journal to other machines: two bridges would write into it."""
    real = it.home.path.resolve()
    for part in real.parts:
        if any(name in part.lower() for name in _SYNCED):
            return fail(
                f"The home {real} lies in a folder that is synchronised ({part}): the journal can be damaged by that.",
                "Stop the bridge, move the home to a local folder, and name that in DAW_BRIDGE_HOME",
            )
    return ok("The home lies in no folder that is known to be synchronised")


def disk(it: Examined) -> Finding:
    """Check that there is room for takes and for the journal."""
    from bridge_daemon.pipeline.disk import LEAST_FREE

    least: tuple[int, Path] | None = None
    for wanted in (it.home.path, it.home.library(it.settings.audio.library)):
        there = next(one for one in (wanted, *wanted.parents) if one.exists())
        free = free_bytes(there)
        least = min(least or (free, wanted), (free, wanted))
    assert least is not None
    free, where = least
    told = f"{free / (1 << 30):.1f} GB are free at {where}"
    if free < LEAST_FREE:
        return fail(f"Only {told}; takes that are paid cannot be kept.", "Make room, or set [audio] library elsewhere")
    return warn(f"Only {told}.", "Make room, or set [audio] library elsewhere") if free < _LITTLE else ok(told)


def audio(_: Examined) -> Finding:
    """Check that audio can be read and written."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        return fail(f"Audio cannot be read: {error}", "Install daw-bridge again")
    return ok(f"libsndfile {soundfile.__libsndfile_version__}")


def folders(it: Examined) -> Finding:
    """Check that watched folders are there and can be written beside."""
    named = it.settings.folders
    if not named:
        return ok("No folder is watched")
    for one in named:
        path = Path(one.path).expanduser()
        if not path.is_dir():
            return fail(
                f"The watched folder {one.name} ({path}) is not there.", "Make it, or correct its path in config.toml"
            )
        results = one.results_path
        there = next(each for each in (results, *results.parents) if each.exists())
        if not os.access(there, os.W_OK):
            return fail(f"Results of {one.name} cannot be written at {results}.", "Make that folder writable for you")
    for told in ((it.status or {}).get("folders") or {}).get("folders", ()):
        if not told["watching"]:
            return fail(f"The folder {told['name']} is not watched: {told['problem']}", "daw-bridge folders")
        if told.get("unsafe"):
            return warn(f"{told['name']}: nothing is sent by itself: {told['unsafe']}", "daw-bridge folders")
    return ok(f"{len(named)} watched")


def folder_events(it: Examined) -> Finding:
    """Check that the system tells of new files: for the home, and each watched folder on its own disk."""
    places = [it.home.inbox, *(Path(one.path).expanduser() for one in it.settings.folders)]
    places = [one for one in places if one.is_dir() and os.access(one, os.W_OK)]
    if not places:
        return ok("There is no folder yet in which something could arrive")
    for place in places:
        if not _event_comes(place):
            return warn(
                f"The system does not tell of new files in {place}; they are found by looking, some seconds later.",
                "Use a folder on a disk of this machine",
            )
    return ok("The system tells of new files")


def _event_comes(folder: Path) -> bool:
    from watchdog.events import FileSystemEvent, FileSystemEventHandler

    from bridge_daemon.util.watching import observer

    came = threading.Event()
    # a name that neither a watched folder nor an inbox takes up
    probe = folder.resolve() / f".daw-bridge-doctor-{os.getpid()}-{secrets.token_hex(4)}"

    class Listener(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            if Path(os.fsdecode(event.src_path)).name == probe.name:
                came.set()

    watch = observer()
    watch.schedule(Listener(), str(folder.resolve()))
    watch.start()
    try:
        probe.touch(mode=0o600)
        return came.wait(_EVENT)
    finally:
        discard(probe)
        watch.stop()
        watch.join()


def midi(it: Examined) -> Finding:
    """Check that controllers can be had, where one is named."""
    told: dict[str, Any] = (it.status or {}).get("midi") or {}
    settings = it.settings.midi
    if not settings.enabled or not (settings.bindings or settings.clock_port):
        return ok("No controller is named in [midi]")
    if it.status is None:
        return warn("Which controllers are there is known while the bridge runs.", _NOT_RUN)
    if told.get("problem"):
        return warn(f"MIDI: {told['problem']}", "daw-bridge midi ports")
    return ok(f"Open: {', '.join(told.get('open') or ()) or 'none'}")
