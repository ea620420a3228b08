"""Delivery to folders: the take lies in the library already; a copy goes to the project's folder if one is named."""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path

from bridge_daemon.domain.job import Job
from bridge_daemon.errors import NotPlaceable, PathRefused
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.util import files
from bridge_daemon.util.held_folder import hold


def bring(job: Job, roots: PathPolicy) -> Path | None:
    """Copy the take of a job to the folder of its place and return the copy; None if no folder is named.

    Raises NotPlaceable: the take is safe in the library.
    """
    assert job.take is not None, "a stored job has a take"
    take = Path(job.take.file)
    try:
        opened = files.open_proved(take, job.take.sha256)
    except FileNotFoundError:
        raise NotPlaceable(f"{take} is not in the library any more.", charge=job.charge) from None
    except OSError as error:
        raise NotPlaceable(
            f"{take} cannot be brought: {error.strerror}.",
            next="Put the take back from a copy, then daw-bridge jobs deliver JOB.",
            charge=job.charge,
        ) from error
    with opened:
        return None if job.place.folder is None else _copy(job, opened, roots)


def _copy(job: Job, opened: BufferedReader, roots: PathPolicy) -> Path:
    """Copy what was opened, into the folder that was checked."""
    assert job.take is not None
    assert job.place.folder is not None
    take = Path(job.take.file)
    try:
        folder = roots.check_folder_for_writing(job.place.folder)
        with hold(folder) as held:
            return held.copy(opened, take.name, sha256=job.take.sha256, point="place")
    except PathRefused as error:
        raise NotPlaceable(
            f"{error.message} The take is safe: {take}", next=error.next_step, charge=job.charge
        ) from error
    except OSError as error:
        raise NotPlaceable(
            f"The take could not be copied to {job.place.folder} ({error.strerror or error}). It is safe: {take}",
            charge=job.charge,
        ) from error
