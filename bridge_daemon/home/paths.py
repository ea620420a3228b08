"""The home: the one folder that holds settings, journal, inboxes and logs, and every path in it.

Other users of the machine can reach our ports on loopback, and not our files. So what is secret lies in files that
only their owner can read, and the bridge refuses to start if that is not so. On Windows the user's own folders are
closed to others by their access lists, which ``doctor`` checks; the modes of POSIX say nothing there.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import platformdirs

from bridge_daemon.errors import HomeUnsafe
from bridge_daemon.home.runtime import Runtime
from bridge_daemon.util import access, long_paths
from bridge_daemon.util.files import remove
from bridge_daemon.util.secret_file import create_secret, read_secret, write_new

if TYPE_CHECKING:
    import filelock


log = logging.getLogger(__name__)

APP: Final = "daw-bridge"
VARIABLE: Final = "DAW_BRIDGE_HOME"
TOKEN_BYTES: Final = 32
_TOKEN_LENGTH = TOKEN_BYTES * 2


class AlreadyRunning(Exception):
    """Another process holds this home. No error for the person: ``run`` says so and ends with 0."""

    def __init__(self, runtime: Runtime | None) -> None:
        """Keep what the other daemon tells of itself; None while it starts."""
        where = f"pid {runtime.pid}, {runtime.http_url}" if runtime else "it is just starting"
        super().__init__(f"already running ({where})")
        self.runtime = runtime


@dataclass(frozen=True, slots=True)
class Home:
    """Every path of one home. Making one touches nothing on the disk; :meth:`prepare` does."""

    path: Path
    #: Whether the person named the folder. Then the takes lie in it too, so that two homes never share a library.
    named: bool = True

    @classmethod
    def locate(cls, environ: Mapping[str, str] = os.environ) -> Home:
        """Find the home: ``DAW_BRIDGE_HOME``, else ``daw-bridge`` in the platform's folder for user data.

        Raises:
            HomeUnsafe: the variable starts with a ``~name`` that no user has.
        """
        given = environ.get(VARIABLE, "").strip()
        if not given:
            return cls(platformdirs.user_data_path(APP, appauthor=False), named=False)
        try:
            # pathlib, not the shell, may be the first to see a `~` (a service file, a plist)
            return cls(Path(given).expanduser().absolute())
        except RuntimeError as error:
            raise HomeUnsafe(f"{VARIABLE} = {given}: {error}.") from error

    @property
    def config(self) -> Path:
        """Settings."""
        return self.path / "config.toml"

    @property
    def token_file(self) -> Path:
        """The secret of this home, which the scripts in the DAWs read."""
        return self.path / "token"

    @property
    def sessions_file(self) -> Path:
        """Digests of the sessions of browsers, so that an open page comes back after a restart."""
        return self.path / "sessions.json"

    @property
    def key_file(self) -> Path:
        """The API key, on machines without a keyring."""
        return self.path / "key"

    @property
    def s3_key_file(self) -> Path:
        """The credentials of the bucket for sources, on machines without a keyring."""
        return self.path / "s3-key"

    @property
    def studio_password_file(self) -> Path:
        """The password of the studio's database, on machines without a keyring."""
        return self.path / "studio-password"

    @property
    def journal(self) -> Path:
        """The database of jobs."""
        return self.path / "journal.sqlite3"

    @property
    def runtime_file(self) -> Path:
        """Where a running daemon is reached."""
        return self.path / "runtime.json"

    @property
    def waiting_file(self) -> Path:
        """Where a daemon is reached that waits for its journal: no DAW takes it for one that can be pressed."""
        return self.path / "waiting.json"

    @property
    def lock_file(self) -> Path:
        """Held by the one daemon of this home."""
        return self.path / "daemon.lock"

    @property
    def inbox(self) -> Path:
        """Requests of scripts that have only files; one folder for each client."""
        return self.path / "inbox"

    @property
    def outbox(self) -> Path:
        """Answers to those scripts."""
        return self.path / "outbox"

    @property
    def logs(self) -> Path:
        """Folder of the logs."""
        return self.path / "logs"

    @property
    def log_file(self) -> Path:
        """The log that is written now."""
        return self.logs / "daemon.log"

    @property
    def sources(self) -> Path:
        """Sources cut and converted for the service."""
        return self.path / "sources"

    @property
    def sketch(self) -> Path:
        """Jobs and audio of the built-in engine."""
        return self.path / "sketch"

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder that :meth:`prepare` makes inside of the home."""
        return self.inbox, self.outbox, self.logs, self.sources, self.sketch

    def library(self, configured: str | None) -> Path:
        """Return the folder of the takes, which need not be there yet; ``configured`` is `[audio] library`."""
        if configured:
            return Path(configured).expanduser()
        if self.named:
            return self.path / "library"
        return platformdirs.user_music_path() / APP

    def prepare(self) -> None:
        """Make what is missing of the folders and the token, and prove that others cannot read the secrets.

        Raises:
            HomeUnsafe: the home cannot be used, or others can read what is secret in it.
        """
        try:
            _check_place(self.path)
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owner(self.path)
            _close_to_others(self.path)
            _close_lists(self.path)
            for folder in self.folders:
                folder.mkdir(mode=0o700, exist_ok=True)
            self._check_content()
            _prove_writable(self.path)
            self._make_token()
        except OSError as error:
            raise HomeUnsafe(
                f"The home {self.path} cannot be used: {error.strerror or error}"
                + (f" ({error.filename})." if error.filename else "."),
                next=f"Make the folder writable for you, or name another one in {VARIABLE}.",
            ) from error
        self.read_token()
        if self.key_file.exists() or self.key_file.is_symlink():
            read_secret(self.key_file)

    def _check_content(self) -> None:
        """Refuse what another user put into a home that was once open: settings and requests are obeyed."""
        if sys.platform == "win32":
            return
        for folder in (self.path, self.inbox):
            for found in folder.iterdir():
                try:
                    about = found.lstat()
                except FileNotFoundError:  # a part of another process, which has ended
                    continue
                if about.st_uid not in (0, os.geteuid()):  # the administrator may do everything anyway
                    raise HomeUnsafe(
                        f"{found} belongs to another user (uid {about.st_uid}, you are {os.geteuid()}), and the bridge "
                        "would obey it.",
                        next=f"Look at it, and remove it or make it yours: sudo chown {os.geteuid()} '{found}'",
                    )
        if self.config.is_file():
            about = self.config.stat()
            if about.st_nlink > 1:
                raise HomeUnsafe(
                    f"{self.config} has a second name elsewhere (a hard link), through which it could be changed.",
                    next=f"Make it a file of its own: cp '{self.config}' x && mv x '{self.config}'",
                )
            if about.st_mode & 0o022:
                self.config.chmod(stat.S_IMODE(about.st_mode) & ~0o022)

    def read_token(self) -> str:
        """Return the token.

        Raises:
            HomeUnsafe: it is missing, others can read it, or it is not what the bridge wrote.
        """
        text = read_secret(self.token_file)
        if len(text) != _TOKEN_LENGTH or not set(text) <= set("0123456789abcdefABCDEF"):
            raise HomeUnsafe(
                f"The token {self.token_file} is damaged: it must be {_TOKEN_LENGTH} hexadecimal digits.",
                next="Remove the file and start the bridge again; it makes a new one.",
            )
        return text

    def _make_token(self) -> None:
        if self.token_file.exists() or self.token_file.is_symlink():
            return
        token = secrets.token_hex(TOKEN_BYTES).encode("ascii")
        with suppress(FileExistsError):  # another process was first; its token counts
            create_secret(self.token_file, token, point="token")

    def write_runtime(self, runtime: Runtime) -> None:
        """Tell the world where this daemon is reached. Holds no secret."""
        runtime.write(self.runtime_file)

    def write_waiting(self, runtime: Runtime) -> None:
        """Tell commands, and no DAW, where a daemon is reached that cannot take presses yet."""
        runtime.write(self.waiting_file)

    def read_runtime(self) -> Runtime | None:
        """Return where a daemon is reached, also one that waits; None when no file tells it.

        A daemon that was killed leaves its file behind: whether it still runs is known by asking it.
        """
        return Runtime.read(self.runtime_file) or Runtime.read(self.waiting_file)

    def remove_runtime(self) -> None:
        """Take away what tells of a daemon, or leave it as one that was killed does while a program holds it open."""
        Runtime.remove(self.runtime_file)
        Runtime.remove(self.waiting_file)

    def lock(self) -> HomeLock:
        """Lock this home for this process, at once or not at all. Held until released, or until the process ends.

        Raises:
            AlreadyRunning: another daemon holds it.
            HomeUnsafe: the disk knows no locks, or the lock file cannot be written.
        """
        import filelock  # only a daemon needs it, and commands should start fast

        lock = filelock.FileLock(self.lock_file, timeout=0, mode=0o600, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise AlreadyRunning(self.read_runtime()) from None
        except (OSError, NotImplementedError) as error:
            raise HomeUnsafe(
                f"The home {self.path} cannot be locked: {error}.",
                next=f"Keep the home on a local disk; {VARIABLE} names another folder.",
            ) from error
        return HomeLock(lock)


class HomeLock(AbstractContextManager["HomeLock"]):
    """The home, held by this process. The operating system frees it when the process dies, however it dies."""

    def __init__(self, lock: filelock.BaseFileLock) -> None:
        self._lock = lock

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def held(self) -> bool:
        """Whether the home is still held."""
        return self._lock.is_locked

    def release(self) -> None:
        """Give the home free; may be called twice."""
        self._lock.release()


def _check_place(path: Path) -> None:
    """Refuse folders that are there for something else: everything in them would be closed to other users."""
    if path.is_symlink() and not path.exists():
        raise HomeUnsafe(
            f"The home {path} is a link to {path.readlink()}, which is not there.",
            next="Connect the disk that it points to, or remove the link.",
        )
    if path.exists() and not path.is_dir():
        raise HomeUnsafe(f"The home {path} is a file, not a folder.", next=f"Name a folder in {VARIABLE}.")
    if long_paths.is_too_long(path, long_paths.IN_HOME):
        raise HomeUnsafe(
            f"The home {path} has too long a path: with the names in it, it passes the {long_paths.MOST} characters "
            "that Windows takes.",
            next=f"Name a folder with a shorter path in {VARIABLE}.",
        )
    if access.is_shared(path):
        raise HomeUnsafe(
            f"The home {path} lies on a shared drive: other machines could read its secrets, and locks do not hold.",
            next=f"Keep the home on a disk of this machine; {VARIABLE} names another folder.",
        )
    resolved = path.resolve()
    taken: set[Path] = set()
    with suppress(RuntimeError):  # a service account may have no home of its own
        person = Path.home().resolve()
        taken = {person, *person.parents}
    if resolved == Path(resolved.anchor) or resolved in taken:
        raise HomeUnsafe(
            f"{resolved} cannot be the home of the bridge: it holds other things too.",
            next=f"Name a folder of its own in {VARIABLE}, for example {path / APP}",
        )


def _check_owner(path: Path) -> None:
    if sys.platform != "win32":
        owner = path.stat().st_uid  # of the folder itself, also if the home is a link to another disk
        if owner != os.geteuid():
            raise HomeUnsafe(
                f"The home {path} belongs to another user (uid {owner}, you are {os.geteuid()}), who could read its "
                "secrets.",
                next=f"Start the bridge as that user, without sudo, or name another folder in {VARIABLE}.",
            )


def _close_to_others(path: Path) -> None:
    if sys.platform != "win32":
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o700)
        if (
            mode := stat.S_IMODE(path.stat().st_mode) & 0o077
        ):  # disks without owners (exFAT) take the call and do nothing
            raise HomeUnsafe(
                f"The home {path} stays open to other users (mode {mode:04o}): its disk knows no access rights.",
                next=f"Keep the home on the system's disk; {VARIABLE} names another folder.",
            )


def _close_lists(path: Path) -> None:
    """As :func:`_close_to_others`, by the access lists of Windows."""
    if access.is_open_to_others(path):
        access.close_all(path)
        if access.is_open_to_others(path):
            raise HomeUnsafe(
                f"The home {path} stays open to other users: its disk knows no access rights.",
                next=f"Keep the home on the system's disk; {VARIABLE} names another folder.",
            )


def _prove_writable(path: Path) -> None:
    probe = path / f".probe.{os.getpid()}.{secrets.token_hex(4)}"
    write_new(probe, b"")
    remove(probe)
