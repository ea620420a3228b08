"""Delivery to folders: the take lies in the library already; a copy goes to the project's folder if one is named."""

from __future__ import annotations

import logging
from io import BufferedReader
from pathlib import Path

from bridge_daemon.domain.job import Fitted, Job
from bridge_daemon.errors import NotPlaceable, PathRefused
from bridge_daemon.home.path_policy import PathPolicy
from bridge_daemon.util import files
from bridge_daemon.util.held_folder import hold

log = logging.getLogger(__name__)


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
        if job.place.folder is None:
            return None
        copy = _copy(job, opened, take, job.take.sha256, roots)
    if job.fitted is not None and job.client is None:  # a client is told where it lies
        _bring_fitted(job, job.fitted, roots)
    return copy


def _bring_fitted(job: Job, fitted: Fitted, roots: PathPolicy) -> None:
    """Copy the copy that fits, too. Without it the take is all there is."""
    file = Path(fitted.file)
    try:
        opened = files.open_proved(file, fitted.sha256)
    except OSError as error:
        log.warning("%s cannot be brought: %s", file, error)
        return
    with opened:
        _copy(job, opened, file, fitted.sha256, roots)


def _copy(job: Job, opened: BufferedReader, take: Path, sha256: str, roots: PathPolicy) -> Path:
    """Copy what was opened, into the folder that was checked."""
    assert job.place.folder is not None
    try:
        folder = roots.check_folder_for_writing(job.place.folder)
        with hold(folder) as held:
            return held.copy(opened, take.name, sha256=sha256, point="place")
    except PathRefused as error:
        raise NotPlaceable(
            f"{error.message} The take is safe: {take}", next=error.next_step, charge=job.charge
        ) from error
    except OSError as error:
        raise NotPlaceable(
            f"The take could not be copied to {job.place.folder} ({error.strerror or error}). It is safe: {take}",
            charge=job.charge,
        ) from error
