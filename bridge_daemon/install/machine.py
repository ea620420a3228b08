"""The computer as the installers see it. Tests make others up, so that each platform's paths are tried on any."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked about a computer to find the DAWs on it."""

    platform: str  #: as ``sys.platform`` has it
    environ: Mapping[str, str]
    user: Path  #: the person's own folder
    documents: Path  #: the person's documents, which Windows may keep elsewhere (OneDrive)
    prefix: str = ""  #: where this Python lies

    @classmethod
    def this(cls) -> Machine:
        """Return the computer that we run on."""
        return cls(sys.platform, os.environ, Path.home(), platformdirs.user_documents_path(), sys.base_prefix)

    @property
    def roaming(self) -> Path:
        """Where programs of Windows keep their settings."""
        given = self.environ.get("APPDATA", "").strip()
        return Path(given) if given else self.user / "AppData" / "Roaming"

    @property
    def local(self) -> Path:
        """Where programs of Windows keep settings that stay on this machine."""
        given = self.environ.get("LOCALAPPDATA", "").strip()
        return Path(given) if given else self.user / "AppData" / "Local"

    @property
    def hides_app_data(self) -> bool:
        """Whether nobody else sees what this Python writes into AppData, as with Python from Microsoft's Store."""
        return self.platform == "win32" and "PythonSoftwareFoundation" in self.prefix
