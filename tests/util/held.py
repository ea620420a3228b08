"""What Windows does to a file that another program holds open: renames and removals fail until it is let go."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest


class SharingViolation(PermissionError):
    """As Windows raises it."""

    winerror = 32  # type: ignore[misc]  # Linux has no such attribute

    def __init__(self, path: object) -> None:
        super().__init__(errno.EACCES, "The process cannot access the file because it is being used", str(path))


class Holder(AbstractContextManager["Holder"]):
    """Holds a file while entered: on Windows for real, elsewhere by refusing what Windows refuses.

    CreateFile: "If FILE_SHARE_DELETE is not specified, but the file has been opened for delete access, the function
    fails"; DeleteFile and MoveFileEx need that access to the file, and the latter to the file that it replaces too.
    The C runtime's fopen, and with it Lua's io.open and Python's open, never gives that share.
    """

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.refused = 0
        self._patch = patch
        self._file: Any = None

    def __enter__(self) -> Holder:
        if os.name == "nt":
            self._file = self.path.open("rb")
        for name in ("replace", "rename", "unlink"):
            self._patch.setattr(os, name, self._refusing(getattr(os, name)))
        return self

    def let_go(self) -> None:
        """Close it."""
        if self._file is not None:
            self._file.close()
        self.path = Path("/nothing is held any more")

    def __exit__(self, *_: object) -> None:
        self.let_go()

    def _refusing(self, real: Callable[..., None]) -> Callable[..., None]:
        def act(*paths: Any, **more: Any) -> None:
            if any(Path(path) == self.path for path in paths):
                self.refused += 1
                if os.name != "nt":
                    raise SharingViolation(self.path)
            real(*paths, **more)

        return act
