"""Delivery to folders: the take lies in the library already; a copy goes to the project's folder where one is named."""

from __future__ import annotations

from pathlib import Path

from bridge_daemon.domain.job import Job
from bridge_daemon.errors import NotPlaceable, PathRefused
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.util import files


def bring(job: Job, roots: PathPolicy) -> Path | None:
    """Copy the take of a job to the folder of its place and return the copy; None where no folder is named.

    Raises NotPlaceable: the take is safe in the library.
    """
    if job.take is None or not Path(job.take.file).is_file():
        name = job.take.file if job.take else "the take"
        raise NotPlaceable(f"{name} is not in the library any more.", charge=job.charge)
    if job.place.folder is None:
        return None
    take = Path(job.take.file)
    try:
        folder = roots.check_folder_for_writing(job.place.folder)
        return files.copy_whole(take, folder / take.name, point="place")
    except PathRefused as error:
        raise NotPlaceable(
            f"{error.message} The take is safe: {take}", next=error.next_step, charge=job.charge
        ) from error
    except OSError as error:
        raise NotPlaceable(
            f"The take could not be copied to {job.place.folder} ({error.strerror or error}). It is safe: {take}",
            charge=job.charge,
        ) from error
