"""The names that the contract knows: ids of requests, ids of jobs, names of clients."""

from __future__ import annotations

import re
import uuid
from typing import Any, Final, TypeGuard

#: A job's id, as a pattern of text. Our own have ten characters.
JOB: Final = r"[a-z0-9]{1,16}"
#: The name of a client.
CLIENT: Final = r"[a-z0-9-]{1,40}"
#: A UUID as it stands in the name of a file.
UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
#: The name of a model of the service.
MODEL: Final = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}"

_JOB = re.compile(JOB)
_CLIENT = re.compile(CLIENT)
_MODEL = re.compile(MODEL)


def is_job(value: Any) -> TypeGuard[str]:
    """Return whether something can be the id of a job."""
    return isinstance(value, str) and _JOB.fullmatch(value) is not None


def is_client(value: Any) -> TypeGuard[str]:
    """Return whether something can be the name of a client."""
    return isinstance(value, str) and _CLIENT.fullmatch(value) is not None


def is_model(value: Any) -> TypeGuard[str]:
    """Return whether something can be the name of a model."""
    return isinstance(value, str) and _MODEL.fullmatch(value) is not None


def as_uuid(value: Any) -> str:
    """Return a UUID in its one spelling: lower case, with dashes. Raises ValueError for anything else."""
    return str(uuid.UUID(value if isinstance(value, str) else ""))
