"""What every DAW has in common for the installer: places, what lies there, install and uninstall."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bridge_daemon import __version__
from bridge_daemon.domain import ids
from bridge_daemon.errors import Fault, InstallTrouble, InvalidRequest
from bridge_daemon.home.path_policy import is_device
from bridge_daemon.home.paths import Home
from bridge_daemon.install import places
from bridge_daemon.install.folder import Step, carry_out, plan_install, plan_uninstall
from bridge_daemon.install.machine import Machine
from bridge_daemon.install.manifest import Manifest, hash_of, hash_on_disk


@dataclass(frozen=True, slots=True)
class InstallPlace:
    """One installation of a DAW, or one folder that belongs to it."""

    title: str  #: the program, with its version if that is known
    base: Path  #: the folder of the person's things for this DAW
    own: tuple[str, ...]  #: the folders in it that are ours, written with /
    note: str = ""  #: what a person should know of it

    @property
    def folder(self) -> Path:
        """Our folder in it, the first of them."""
        return self.base / self.own[0]

    def as_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {"title": self.title, "path": str(self.base), "folders": list(self.own), "note": self.note}


@dataclass(frozen=True, slots=True)
class Payload:
    """The files for one place."""

    files: Mapping[str, bytes]  #: by their path from the base of the place
    settings: tuple[str, ...]  #: which of them hold the settings of this place; they are no part of what is shipped
    merged: tuple[str, ...]  #: settings that keep what somebody wrote into them
    folders: tuple[Path, ...] = ()  #: in the home, which the scripts need and cannot make themselves


class Target(Protocol):
    """One DAW."""

    name: str  #: on the command line
    title: str
    program: str  #: how the program is called that has the files open

    def find(self, machine: Machine, known: Sequence[Path]) -> list[InstallPlace]:
        """Return where it is on this machine; ``known`` are places that were named before."""

    def at(self, path: Path) -> InstallPlace:
        """Return the place that a person named. Raises InstallTrouble if there is no such DAW."""

    def missing(self, machine: Machine) -> InstallTrouble:
        """Return the error that says that it was not found, and where it was looked for."""

    def payload(self, place: InstallPlace, home: Path, taken: Sequence[Path], client: str | None) -> Payload:
        """Return what is to lie in a place. ``taken`` are the other places that something is installed in."""

    def next_step(self, place: InstallPlace, first: bool) -> str:
        """Return what is left for the person to do after an install (``first``), or an update."""

    def leave(self, place: InstallPlace, *, dry_run: bool) -> list[str]:
        """Remove what lies outside of our folder; return what was (or would be) done, in words."""

    def after(self, place: InstallPlace) -> str:
        """Return what is left for the person to do after an uninstall."""


@dataclass(frozen=True, slots=True)
class InstallOutcome:
    """What happened in one place."""

    place: InstallPlace
    steps: tuple[Step, ...]
    version_before: str | None
    version: str | None  #: None: nothing is there any more
    next: str
    more: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            **self.place.as_dict(),
            "version_before": self.version_before,
            "version": self.version,
            "files": [
                {"file": step.file, "what": str(step.act)} | ({"to": step.to} if step.to else {}) for step in self.steps
            ],
            "more": self.more,
            "next": self.next,
        }


def install(
    target: Target, machine: Machine, home: Home, *, path: Path | None, client: str | None = None, dry_run: bool
) -> list[InstallOutcome]:
    """Install or update in the place named, or in every place found.

    Raises:
        InstallTrouble: there is no place, or one of them could not be written; those before it are done.
    """
    found = _places(target, machine, home, path)
    if not found:
        raise target.missing(machine)
    if client is not None and len(found) > 1:
        raise InstallTrouble(
            f"A client name belongs to one installation, and {len(found)} were found.",
            next="Say which one with --path.",
        )
    if not dry_run:
        home.prepare()
    # as other programs see it: some Pythons of Windows show themselves another AppData
    seen = Path(os.path.realpath(home.path))

    def one(place: InstallPlace) -> InstallOutcome:
        _refuse_hidden(machine, place)
        payload = target.payload(place, seen, _others(target, machine, home, place), client)
        return _install(target, home, place, payload, dry_run=dry_run)

    return _each(found, one)


def _each(found: Sequence[InstallPlace], work: Callable[[InstallPlace], InstallOutcome]) -> list[InstallOutcome]:
    """Do the work in each place; an error names the places that are done."""
    done: list[InstallOutcome] = []
    for place in found:
        try:
            done.append(work(place))
        except InstallTrouble as error:
            if not done:
                raise
            names = ", ".join(str(outcome.place.base) for outcome in done)
            raise InstallTrouble(f"{error.message} Done before that: {names}.", next=error.next_step) from error
    return done


def _others(target: Target, machine: Machine, home: Home, place: InstallPlace) -> list[Path]:
    """Return the other places of this DAW, of which some may have something installed."""
    named = places.known(home, target.name)
    found = [one.base for one in target.find(machine, named)]
    return [base for base in dict.fromkeys([*named, *found]) if base != place.base]


def _install(target: Target, home: Home, place: InstallPlace, payload: Payload, *, dry_run: bool) -> InstallOutcome:
    plan = plan_install(place.base, place.own, payload.files, version=__version__, merged=payload.merged)
    if not dry_run:
        for folder in payload.folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        carry_out(plan, program=target.program)
        places.remember(home, target.name, place.base)
    before = None if plan.before is None else plan.before.version
    return InstallOutcome(place, plan.steps, before, __version__, target.next_step(place, before is None))


def _refuse_hidden(machine: Machine, place: InstallPlace) -> None:
    if machine.hides_app_data and any(part.lower() == "appdata" for part in place.base.parts):
        raise InstallTrouble(
            "This Python came from the Microsoft Store. Windows hides from other programs what it writes into AppData, "
            f"so {place.title} would never see it. Nothing was changed.",
            next="Install daw-bridge with uv, or with Python from python.org, then run the same command again.",
        )


def uninstall(
    target: Target, machine: Machine, home: Home, *, path: Path | None, dry_run: bool
) -> list[InstallOutcome]:
    """Uninstall from the place named, or from every place where something is installed.

    Raises:
        InstallTrouble: nothing is installed, or something could not be removed.
    """
    found = _places(target, machine, home, path)
    if path is None:
        found = [place for place in found if Manifest.read(place.base, place.own) is not None]
    if not found:
        raise InstallTrouble(
            f"Nothing was removed: nothing of daw-bridge is installed in {target.title}.",
            next="daw-bridge install shows what was found; --path names another folder.",
        )
    return _each(found, lambda place: _uninstall(target, home, place, dry_run=dry_run))


def _uninstall(target: Target, home: Home, place: InstallPlace, *, dry_run: bool) -> InstallOutcome:
    plan = plan_uninstall(place.base, place.own)
    if not dry_run:
        carry_out(plan, program=target.program)
    more = target.leave(place, dry_run=dry_run)
    if not dry_run:
        places.forget(home, target.name, place.base)
    return InstallOutcome(place, plan.steps, plan.version, None, target.after(place), more)


def _places(target: Target, machine: Machine, home: Home, path: Path | None) -> list[InstallPlace]:
    if path is not None:
        return [target.at(path.expanduser().absolute())]
    return target.find(machine, places.known(home, target.name))


@dataclass(frozen=True, slots=True)
class InstallState:
    """What lies in a place."""

    place: InstallPlace
    version: str | None  #: None: nothing is installed
    changed: list[str]  #: files that are not as we wrote them
    outdated: bool  #: whether an install would change something
    settings: dict[str, Any]  #: as the scripts read them

    def as_dict(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        return {
            **self.place.as_dict(),
            "version": self.version,
            "up_to_date": self.version is not None and not self.outdated,
            "changed_by_you": self.changed,
            "settings": self.settings,
        }


def states(target: Target, machine: Machine, home: Home) -> list[InstallState]:
    """Return what is installed where. Changes nothing."""
    return [_state(target, home, place) for place in target.find(machine, places.known(home, target.name))]


def _state(target: Target, home: Home, place: InstallPlace) -> InstallState:
    payload = target.payload(place, home.path, [], None)
    manifest = Manifest.read(place.base, place.own)
    if manifest is None:
        return InstallState(place, None, [], False, {})
    ours = [path for path in manifest.files if path not in payload.settings]
    changed = [path for path in ours if _is_changed(manifest, place.base, path)]
    outdated = manifest.version != __version__ or any(
        hash_on_disk(place.base / path) != hash_of(data)
        for path, data in payload.files.items()
        if path not in payload.settings and path not in changed
    )
    return InstallState(place, manifest.version, changed, outdated, read_settings(place.base / payload.settings[0]))


def _is_changed(manifest: Manifest, base: Path, path: str) -> bool:
    found = hash_on_disk(base / path)
    return found is not None and not manifest.owns(path, found)


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings of a place; empty if there are none that can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def pick_client(there: Mapping[str, Any], others: Sequence[Mapping[str, Any]], wanted: str | None, usual: str) -> str:
    """Return the name that a DAW has at the bridge: the one wanted, else that of its settings, else one that is free.

    Raises:
        InvalidRequest: the name that is wanted is none.
    """
    if wanted is not None:
        if not ids.is_client(wanted):
            raise InvalidRequest([Fault("client", wanted, "1 to 40 of a-z, 0-9 and -")])
        if is_device(wanted):
            raise InvalidRequest([Fault("client", wanted, "a name that Windows does not keep for a device")])
        return wanted
    now = there.get("client")
    if ids.is_client(now):
        return str(now)  # kept for life: jobs that are on their way belong to it
    names = {settings.get("client") for settings in others}
    number = 1
    while (name := usual if number == 1 else f"{usual}-{number}") in names:
        number += 1
    return name


def make_payload(base: Path, shipped: Mapping[str, bytes], settings: Mapping[str, Mapping[str, Any]]) -> Payload:
    """Put shipped files and settings together. What somebody added to settings that are there stays in them."""
    files, merged = dict(shipped), []
    for path, values in settings.items():
        there = read_settings(base / path)
        if there:
            merged.append(path)
        text = json.dumps({**there, **values}, indent=2, ensure_ascii=False) + "\n"
        files[path] = text.encode("utf-8")
    return Payload(files, tuple(settings), tuple(merged))
