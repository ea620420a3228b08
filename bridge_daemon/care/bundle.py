"""The support bundle: what somebody who helps needs to see, and no secret. Its content is known before it is written.

Every text goes through :func:`scrub`: secrets that are known by their value, whatever looks like one, and the names of
people in paths. No audio, no prompt and no file of a project is in it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sys
import time
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bridge_daemon import __version__
from bridge_daemon.domain.finding import Finding
from bridge_daemon.errors import BridgeError, DiskTrouble
from bridge_daemon.home.paths import Home
from bridge_daemon.util import files
from bridge_daemon.util.redact import HIDDEN, redact_for_others

_TAIL: Final = 1 << 20  # bytes of each log
_JOBS: Final = 50
_OF_A_JOB: Final = ("job", "state", "charge", "engine", "model", "usd", "problem", "retry_of", "created_at")
_LOGS: Final = ("daemon.log", "daemon.log.1", "start.log", "service.log", "commands.log")
_SECRET_NAME: Final = re.compile(r"(?i)key|secret|token|passw|credential|auth")
#: The names under which sources and probes can be fetched, whatever stands before them; and tokens of a home.
_CAPABILITY: Final = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{40,}(?:\.wav|\.txt)?(?![A-Za-z0-9_-])")
_PEOPLE: Final = re.compile(
    r"(?i)((?:/home/|/Users/|[A-Z]:[\\/]+Users[\\/]+|/run/media/|/media/))(?!\[)"
    r"(?:[^/\\\"'\r\n:;,]{1,64}(?=[/\\])|[^/\\\s\"':;,]+)"
)
#: Of a status: what is asked for, and by whom, is nobody's business.
_PRIVATE: Final = frozenset({"prompt", "clients", "client", "preset", "project", "track", "file", "text_of_request"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the bundle."""

    name: str
    about: str
    data: bytes


def known_secrets(home: Home, environ: Mapping[str, str] = os.environ) -> set[str]:
    """Return every secret that can be known: of the home, of the keyring, and of the environment."""
    from bridge_daemon.home.api_key import KeyStore
    from bridge_daemon.home.s3_key import S3KeyStore

    found = {value for name, value in environ.items() if _SECRET_NAME.search(name) and len(value) >= 8}
    for file in (home.token_file, home.key_file, home.s3_key_file):
        with suppress(OSError):
            found.add(file.read_text("utf-8", errors="replace").strip())
    with suppress(BridgeError):
        key = KeyStore(home, environ).get()
        found |= {key.value} if key else set()
    with suppress(BridgeError):
        pair = S3KeyStore(home, environ).get()
        if pair is not None:
            found |= {pair.access_key_id, pair.secret_access_key, pair.session_token or ""}
    return {one for one in found if one}


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, and without the names of people in paths."""
    secrets = sorted(secrets, key=len, reverse=True)
    for secret in secrets:  # also those that are shorter than redact takes for one
        text = text.replace(secret, HIDDEN).replace(json.dumps(secret)[1:-1], HIDDEN)
    text = _CAPABILITY.sub(HIDDEN, redact_for_others(text, secrets))
    with suppress(RuntimeError):
        person = str(Path.home())
        for form in {person, person.replace("\\", "\\\\"), person.replace("\\", "/")}:
            if len(form) > 1:
                text = text.replace(form, "~")
    return _PEOPLE.sub(r"\1[user]", text)


async def collect(
    home: Home, findings: list[Finding], status: dict[str, Any] | None, environ: Mapping[str, str] = os.environ
) -> list[Entry]:
    """Return all that would be written. Reads only; what cannot be read is told in its place."""
    secrets = known_secrets(home, environ)

    def entry(name: str, about: str, text: str) -> Entry:
        return Entry(name, about, scrub(text, secrets).encode("utf-8", "backslashreplace"))

    made = [
        entry("about.json", "versions of the bridge, of Python and of the libraries", _json(_about())),
        entry("doctor.json", "what doctor found", _json([one.as_dict() for one in findings])),
        entry("config.json", "your settings, without credentials", _settings(home, environ)),
    ]
    if status is not None:
        made.append(entry("status.json", "what the bridge tells of itself, without prompts", _json(_without(status))))
    made.append(entry("jobs.json", "states, money, problems of the last 50 jobs", await _jobs(home)))
    for name in _LOGS:
        file = home.logs / name
        if file.is_file():
            made.append(entry(f"logs/{name}", "the end of a log", _end_of(file)))
    return made


def write(entries: list[Entry], target: Path) -> None:
    """Write the bundle, closed to other users. Raises DiskTrouble; a file that is there is not written over."""
    try:
        with files.create(target, mode=0o600) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
            for one in entries:
                bundle.writestr(one.name, one.data)
    except OSError as error:
        raise DiskTrouble(
            f"{target} cannot be written: {error.strerror or error}. Nothing was spent.",
            next="Name another file: daw-bridge support-bundle --output FILE",
        ) from error


def default_name() -> str:
    """Return a name for a new bundle."""
    return f"daw-bridge-support-{time.strftime('%Y%m%d-%H%M%S')}.zip"


def _about() -> dict[str, Any]:
    packages = ("aiohttp", "numpy", "pydantic", "soundfile", "sqlalchemy", "supriya-midi", "typer", "watchdog", "av")
    versions: dict[str, str | None] = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "version": __version__,
        "python": sys.version,
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": versions,
    }


def _settings(home: Home, environ: Mapping[str, str]) -> str:
    from bridge_daemon.settings.load import masked, read

    settings, faults = read(home.config, environ)
    if settings is None:
        return _json({"faults": [str(one) for one in faults]})
    return _json(_without(masked(settings)))


async def _jobs(home: Home) -> str:
    from sqlalchemy.exc import SQLAlchemyError

    from bridge_daemon.journal import Journal
    from bridge_daemon.settings.load import read
    from bridge_daemon.util.times import Times

    settings = read(home.config, os.environ)[0]
    database = None
    if settings is not None and settings.journal.url is not None:
        from bridge_daemon.studio.database import of_home

        database = of_home(home, settings.journal)
    elif not home.journal.exists():
        return "[]"
    journal = Journal(home.journal, Times(), read_only=True, database=database)
    try:
        await journal.open()
        found = await journal.read(lambda tx: tx.find(limit=_JOBS))
    except (BridgeError, SQLAlchemyError, OSError, ValueError, LookupError, TypeError) as error:
        return _json({"unreadable": str(error)})
    finally:
        await journal.close()
    return _json([{name: value for name, value in one.as_dict().items() if name in _OF_A_JOB} for one in found])


def _without(value: Any) -> Any:
    """Return data with what a person asked for, and where it goes, taken out."""
    if isinstance(value, dict):
        return {name: HIDDEN if name in _PRIVATE and one else _without(one) for name, one in value.items()}
    return [_without(one) for one in value] if isinstance(value, list) else value


def _end_of(file: Path) -> str:
    try:
        with file.open("rb") as log:
            log.seek(0, os.SEEK_END)
            size = log.tell()
            log.seek(max(0, size - _TAIL))
            text = log.read().decode("utf-8", "replace")
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return text.partition("\n")[2] if size > _TAIL else text  # the first line may begin in the middle of a secret


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
