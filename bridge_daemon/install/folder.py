"""Installing files into folders of another program, updating them, and taking them out again.

First a plan is made, which touches nothing (a dry run ends there); then it is carried out. The rules:

* What we wrote, and is as we wrote it, is replaced or removed.
* What somebody changed, or what was there before us, is never lost: an update gives it another name first, and an
  uninstall leaves it where it is.
* Where a step fails, all steps before it are taken back.
"""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

from bridge_daemon.errors import InstallTrouble
from bridge_daemon.install.manifest import MODE, NAME, Manifest, folders_above, hash_of, hash_on_disk
from bridge_daemon.util.files import discard, is_disk_full, remove, replace, write_whole


class Act(StrEnum):
    """What happens to one file."""

    ADD = "added"
    UPDATE = "updated"
    SAME = "unchanged"
    ASIDE = "renamed"  #: it is not as we wrote it, and a file of ours gets its name
    REMOVE = "removed"
    KEEP = "kept"  #: it is not as we wrote it, and stays where it is


@dataclass(frozen=True, slots=True)
class Step:
    """One file, and what happens to it."""

    act: Act
    file: str  #: path from the base, written with /
    to: str | None = None  #: its new name, if it is renamed


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What is to happen below a folder. Making one touched nothing."""

    base: Path
    own: tuple[str, ...]  #: our folders below it; the first of them holds the manifest
    steps: tuple[Step, ...]
    files: Mapping[str, bytes]  #: what is to lie there in the end; empty: an uninstall
    version: str
    before: Manifest | None
    made: tuple[str, ...]  #: folders above ours that were not there before the first install

    @property
    def changes(self) -> list[Step]:
        """The steps that do something."""
        return [step for step in self.steps if step.act is not Act.SAME]


def plan_install(
    base: Path, own: tuple[str, ...], files: Mapping[str, bytes], *, version: str, merged: Collection[str] = ()
) -> InstallPlan:
    """Plan an install or an update of ``files``, which all lie in our folders ``own`` below ``base``.

    ``merged`` are files whose new content already holds what a person wrote there.
    """
    before = Manifest.read(base, own)
    steps: list[Step] = []
    for path, data in sorted(files.items()):
        found = hash_on_disk(base / path)
        if found is None:
            steps.append(Step(Act.ADD, path))
        elif found == hash_of(data):
            steps.append(Step(Act.SAME, path))
        elif path in merged or (before is not None and before.owns(path, found)):
            steps.append(Step(Act.UPDATE, path))
        else:
            steps += [Step(Act.ASIDE, path, _free_name(base, path)), Step(Act.ADD, path)]
    gone = [] if before is None else [path for path in before.files if path not in files]
    missing = [folder for folder in folders_above(own) if not os.path.lexists(base / folder)]
    made = tuple(dict.fromkeys([*(() if before is None else before.made), *missing]))
    return InstallPlan(base, own, (*steps, *_leave(base, gone, before)), dict(files), version, before, made)


def plan_uninstall(base: Path, own: tuple[str, ...]) -> InstallPlan:
    """Plan an uninstall.

    Raises:
        InstallTrouble: nothing of ours is known to lie there.
    """
    before = Manifest.read(base, own)
    if before is None:
        raise InstallTrouble(
            f"Nothing was removed: in {base} lies nothing that daw-bridge install has written.",
            next="daw-bridge install shows where it is installed; --path names another folder.",
        )
    return InstallPlan(base, own, tuple(_leave(base, before.files, before)), {}, before.version, before, before.made)


def _leave(base: Path, paths: Collection[str], before: Manifest | None) -> Iterator[Step]:
    for path in sorted(paths):
        found = hash_on_disk(base / path)
        if found is not None and before is not None:
            yield Step(Act.REMOVE if before.owns(path, found) else Act.KEEP, path)


def _free_name(base: Path, path: str) -> str:
    pure, number = PurePosixPath(path), 1
    while True:
        mark = "your copy" if number == 1 else f"your copy {number}"
        name = pure.with_name(f"{pure.stem} ({mark}){pure.suffix}")
        if not os.path.lexists(base / name):
            return name.as_posix()
        number += 1


def carry_out(plan: InstallPlan, *, program: str) -> None:
    """Do what was planned, wholly or not at all. ``program`` is the DAW, for the words of an error.

    Raises:
        InstallTrouble: it cannot be done; what was there is as it was.
    """
    first = plan.base / plan.own[0]
    with _explained(plan.base, program), ExitStack() as undo:
        _sweep(plan)
        undo.callback(_remove_empty, _make_folder(first))
        _note_both(plan, first, undo)
        for step in plan.steps:
            _do(plan, step, undo)
        if plan.files:
            files = {path: (hash_of(data),) for path, data in plan.files.items()}
            Manifest(plan.version, files, plan.made).write(first)
        else:
            remove(first / NAME, missing_ok=True)
        undo.pop_all()
    with suppress(OSError):  # Windows may hold an empty folder for a moment; it does no harm
        _prune(plan)


def _sweep(plan: InstallPlan) -> None:
    """Remove what a process that died left half written."""
    names = {*plan.files, *(plan.before.files if plan.before is not None else ()), f"{plan.own[0]}/{NAME}"}
    for path in names:
        whole = plan.base / path
        for part in whole.parent.glob(f".{glob.escape(whole.name)}.*.part"):
            discard(part)


def _make_folder(folder: Path) -> list[Path]:
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return made


def _note_both(plan: InstallPlan, first: Path, undo: ExitStack) -> None:
    """Write down what may lie there if the process dies in the middle, so that the next run knows it as ours."""
    old = dict(plan.before.files) if plan.before is not None else {}
    new = {path: (hash_of(data),) for path, data in plan.files.items()}
    both = {path: tuple(dict.fromkeys((*old.get(path, ()), *new.get(path, ())))) for path in {**old, **new}}
    if plan.before is not None:
        undo.callback(plan.before.write, first)
    else:
        undo.callback(remove, first / NAME, missing_ok=True)
    Manifest(plan.before.version if plan.before is not None else plan.version, both, plan.made).write(first)


def _do(plan: InstallPlan, step: Step, undo: ExitStack) -> None:
    path = plan.base / step.file
    if step.act is Act.ADD:
        undo.callback(_remove_empty, _make_folder(path.parent))
        undo.callback(remove, path, missing_ok=True)
        _write(path, plan.files[step.file])
    elif step.act is Act.UPDATE:
        undo.callback(_write, path, path.read_bytes())
        _write(path, plan.files[step.file])
    elif step.act is Act.REMOVE:
        old = path.read_bytes()
        remove(path)
        undo.callback(_write, path, old)
    elif step.act is Act.ASIDE and step.to is not None:
        replace(path, plan.base / step.to)
        undo.callback(replace, plan.base / step.to, path)


def _write(path: Path, data: bytes) -> None:
    write_whole(path, data, point="installed", mode=MODE)


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _prune(plan: InstallPlan) -> None:
    """Remove folders of ours that hold nothing any more; after an uninstall, those above that were made for them."""
    own = {PurePosixPath(folder) for folder in plan.own}
    inside = {
        folder
        for step in plan.steps
        if step.act is Act.REMOVE
        for folder in PurePosixPath(step.file).parents
        if folder in own or not own.isdisjoint(folder.parents)
    }
    if not plan.files:
        inside |= {PurePosixPath(folder) for folder in plan.made}
    _remove_empty(plan.base / folder for folder in sorted(inside, key=lambda one: len(one.parts), reverse=True))


@contextmanager
def _explained(base: Path, program: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _trouble(error, base, program) from error


def _trouble(error: OSError, base: Path, program: str) -> InstallTrouble:
    where = error.filename or base
    told = f"{where} cannot be written: {error.strerror or error}. What was there is as it was."
    if is_disk_full(error):
        return InstallTrouble(told, next="Make room on the disk, then run the same command again.")
    held = getattr(error, "winerror", None) in (5, 32, 33)
    if held:
        return InstallTrouble(
            f"{where} cannot be replaced: {program} or another program holds it open. What was there is as it was.",
            next=f"Close {program}, then run the same command again.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InstallTrouble(
            f"{where} cannot be written: you may not write in this folder. What was there is as it was.",
            next="Make the folder writable for you (on a Mac: also System Settings > Privacy & Security > Files and "
            "Folders), then run the same command again, without sudo.",
        )
    return InstallTrouble(told, next="Mend what is named, then run the same command again.")
