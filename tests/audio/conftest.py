from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as people name them."""
    path = tmp_path / "Größe & Töne – 音 (neu)"
    path.mkdir()
    return path
