"""What makes a file whole or not there: the bytes lie on the medium before the name, and the name before we say so."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.util import files

pytestmark = pytest.mark.posix("Windows flushes folders by itself and knows no links here")


@pytest.fixture
def deeds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What happens to files and folders of the test, in order: which are flushed, and when one gets its name."""
    told: list[str] = []
    fsync, link, replace = os.fsync, os.link, os.replace

    def flushed(descriptor: int) -> None:
        status = os.fstat(descriptor)
        folder = os.path.samestat(status, tmp_path.stat())
        told.append("folder" if folder else f"{status.st_size} bytes")
        fsync(descriptor)

    def named(act: Callable[..., None]) -> Callable[..., None]:
        def do(source: Any, target: Any, **given: Any) -> None:
            told.append(f"named {Path(target).name}")
            act(source, target, **given)

        return do

    monkeypatch.setattr(files.os, "fsync", flushed)
    monkeypatch.setattr(files.os, "link", named(link))
    monkeypatch.setattr(files.os, "replace", named(replace))
    monkeypatch.setattr(files.sys, "platform", "linux")  # macOS flushes by another call
    return told


def test_a_file_that_is_written_whole(tmp_path: Path, deeds: list[str]) -> None:
    files.write_whole(tmp_path / "a", b"12345", point="test")
    assert deeds == ["5 bytes", "named a", "folder"]


def test_a_file_that_is_made_anew_at_each_start_waits_for_no_medium(tmp_path: Path, deeds: list[str]) -> None:
    files.write_whole(tmp_path / "a", b"12345", point="test", durable=False)
    assert deeds == ["named a"]


def test_a_copy(tmp_path: Path, deeds: list[str]) -> None:
    (tmp_path / "a").write_bytes(b"123")
    files.copy_whole(tmp_path / "a", tmp_path / "b", point="test")
    assert deeds == ["3 bytes", "named b", "folder"]


def test_a_take_that_is_hashed_while_it_is_flushed(tmp_path: Path, deeds: list[str]) -> None:
    with files.create(tmp_path / "a") as file:
        file.write(b"1234567")
        files.flush_and_hash(file, tmp_path / "a")
    assert deeds == ["7 bytes"]


def test_what_is_settled_has_its_name_on_the_medium(tmp_path: Path, deeds: list[str]) -> None:
    (tmp_path / "part").write_bytes(b"1")
    files.settle(tmp_path / "part", tmp_path / "a.wav", point="test")
    assert deeds == ["named a.wav", "folder"]


@pytest.mark.parametrize("there", [b"other bytes", b"of that siz", b""])
def test_a_file_of_that_name_with_other_bytes_is_left_alone(tmp_path: Path, there: bytes) -> None:
    (tmp_path / "part").write_bytes(b"these bytes")
    (tmp_path / "a.wav").write_bytes(there)
    assert files.settle(tmp_path / "part", tmp_path / "a.wav", point="test").name == "a-2.wav"
    assert (tmp_path / "a.wav").read_bytes() == there
    assert (tmp_path / "a-2.wav").read_bytes() == b"these bytes"


def test_a_file_of_that_name_with_the_same_bytes_is_the_result(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"these bytes")
    (tmp_path / "a.wav").write_bytes(b"these bytes")
    assert files.settle(tmp_path / "part", tmp_path / "a.wav", point="test").name == "a.wav"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav"]


class TestHashedOnce:
    """What was hashed when it was written is not read again when it is brought, as long as it is that file."""

    @pytest.fixture
    def settled(self, tmp_path: Path) -> tuple[Path, str]:
        part = files.part_of(tmp_path / "a.wav")
        with files.create(part) as file:
            file.write(b"x" * 100_000)
            digest = files.flush_and_hash(file, part)
        return files.settle(part, tmp_path / "a.wav", point="take"), digest

    @pytest.fixture
    def reads(self, settled: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Of files, from here on."""
        found: list[str] = []
        digest = hashlib.file_digest

        def counted(file: Any, *given: Any) -> Any:
            found.append(file.name)
            return digest(file, *given)

        monkeypatch.setattr(hashlib, "file_digest", counted)
        return found

    def test_under_its_new_name(self, settled: tuple[Path, str], reads: list[str]) -> None:
        file, digest = settled
        with files.open_proved(file, digest) as opened:
            assert opened.read() == b"x" * 100_000
        assert reads == []

    def test_but_not_as_another_one(self, settled: tuple[Path, str]) -> None:
        with pytest.raises(files.Changed):
            files.open_proved(settled[0], "0" * 64)

    @pytest.mark.parametrize(
        "back",
        [
            pytest.param(
                True,
                id="time set back",
                marks=pytest.mark.skipif(os.name == "nt", reason="Windows keeps no time of the last change of all"),
            ),
            pytest.param(False, id="as it comes"),
        ],
    )
    def test_but_if_it_was_written_to(self, settled: tuple[Path, str], back: bool) -> None:
        file, digest = settled
        before = file.stat()
        time.sleep(0.05)  # longer than a tick of the clock that files are stamped by
        file.write_bytes(b"y" * 100_000)
        if back:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(files.Changed):
            files.open_proved(file, digest)

    def test_but_if_it_was_replaced(self, settled: tuple[Path, str], tmp_path: Path) -> None:
        file, digest = settled
        other = tmp_path / "other"
        other.write_bytes(b"y" * 100_000)
        before = file.stat()
        os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
        other.replace(file)
        with pytest.raises(files.Changed):
            files.open_proved(file, digest)

    def test_nor_what_was_written_to_between_its_hash_and_its_name(self, tmp_path: Path) -> None:
        part = files.part_of(tmp_path / "a.wav")
        with files.create(part) as file:
            file.write(b"x" * 100_000)
            digest = files.flush_and_hash(file, part)
        part.write_bytes(b"y" * 100_000)
        os.utime(part, ns=(0, 0))
        with pytest.raises(files.Changed):
            files.open_proved(files.settle(part, tmp_path / "a.wav", point="take"), digest)
