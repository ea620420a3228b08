"""The disk with a Mac's rules keeps them: what is tested on it is worth that much."""

from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.macfs import mac_disk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="FUSE of Linux")
COMPOSED = "Größe.wav"
APART = unicodedata.normalize("NFD", COMPOSED)


@pytest.mark.parametrize(("kind", "listed"), [("apfs", COMPOSED), ("hfs", APART)])
def test_a_name_is_found_in_every_spelling(tmp_path: Path, kind: str, listed: str) -> None:
    with mac_disk(kind, tmp_path) as disk:
        (disk / COMPOSED).write_bytes(b"a")
        assert [one.name for one in disk.iterdir()] == [listed]
        for spelling in (COMPOSED, APART, COMPOSED.upper().replace("SS", "ß"), APART.swapcase().replace("SS", "ß")):
            assert (disk / spelling).read_bytes() == b"a"
            assert (disk / spelling).stat().st_ino == (disk / listed).stat().st_ino
        with pytest.raises(FileExistsError):
            os.close(os.open(disk / APART.upper().replace("SS", "ß"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        (disk / "new.wav").write_bytes(b"b")
        (disk / "new.wav").rename(disk / COMPOSED.swapcase().replace("SS", "ß"))
        assert len(list(disk.iterdir())) == 1
        assert (disk / COMPOSED).read_bytes() == b"b"
