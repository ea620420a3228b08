"""A folder as the store: whole files or none, proved by their hash, and never in the place of a share that is away."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge_daemon.care import machine_checks
from bridge_daemon.care.finding import Examined
from bridge_daemon.errors import StoreAway
from bridge_daemon.home.paths import Home
from bridge_daemon.settings.load import Settings
from bridge_daemon.settings.sections import StoreSettings
from bridge_daemon.studio import objects
from bridge_daemon.studio.objects import MARK, Folder, mark_of

NAME = "takes/a.wav"


@pytest.fixture
async def store(tmp_path: Path) -> Folder:
    root = tmp_path / "share ü"
    root.mkdir()
    made = Folder(root)
    assert await made.mark() is None
    await made.set_mark(mark_of("studio"))
    return made


def wav(folder: Path, content: bytes = b"RIFF" + bytes(100_000)) -> tuple[Path, str]:
    file = folder / "a.wav"
    file.write_bytes(content)
    return file, hashlib.sha256(content).hexdigest()


async def test_what_was_put_comes_back(store: Folder, tmp_path: Path) -> None:
    file, sha256 = wav(tmp_path)
    for _ in range(2):
        await store.put(NAME, file, sha256)
    part = tmp_path / "part"
    assert await store.get(NAME, part, sha256)
    assert part.read_bytes() == file.read_bytes()
    assert [path.name for path in (Path(store.where) / "takes").iterdir()] == ["a.wav"]
    for _ in range(2):
        await store.delete(NAME)
    assert not await store.get(NAME, tmp_path / "other", sha256)


async def test_what_is_damaged_is_not_given_and_leaves_nothing(store: Folder, tmp_path: Path) -> None:
    file, sha256 = wav(tmp_path)
    await store.put(NAME, file, sha256)
    (Path(store.where) / NAME).write_bytes(b"RIFF")
    assert not await store.get(NAME, tmp_path / "part", sha256)
    assert not (tmp_path / "part").exists()
    await store.put(NAME, file, sha256)
    assert await store.get(NAME, tmp_path / "part", sha256)


async def test_a_file_that_is_another_one_than_was_said_is_not_put(store: Folder, tmp_path: Path) -> None:
    file, _ = wav(tmp_path)
    with pytest.raises(StoreAway, match="does not come back as it was"):
        await store.put(NAME, file, "0" * 64)


async def test_a_reader_sees_a_whole_file_or_none(store: Folder, tmp_path: Path) -> None:
    contents = [b"RIFF" + bytes([n]) * 500_000 for n in (1, 2)]
    seen: set[bytes] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add((Path(store.where) / NAME).read_bytes())
            except FileNotFoundError:
                continue

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(20):
            file, sha256 = wav(tmp_path, contents[turn % 2])
            await store.put(NAME, file, sha256)
    finally:
        stop.set()
        reader.join()
    assert seen <= set(contents)


def _unmount(root: Path) -> None:
    root.rename(root.with_name("elsewhere"))


def _empty(root: Path) -> None:
    (root / MARK).unlink()


@pytest.mark.parametrize("away", [_unmount, _empty])
async def test_nothing_is_written_where_the_share_is_not(
    store: Folder, tmp_path: Path, away: Callable[[Path], None]
) -> None:
    file, sha256 = wav(tmp_path)
    away(Path(store.where))
    for work in (
        store.put(NAME, file, sha256),
        store.get(NAME, tmp_path / "part", sha256),
        store.delete(NAME),
    ):
        with pytest.raises(StoreAway):
            await work
    assert not (Path(store.where) / "takes").exists()


async def test_a_file_of_ours_that_is_gone_is_no_fault_of_the_store(store: Folder, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await store.put(NAME, tmp_path / "gone.wav", "0" * 64)


def test_what_the_settings_name(tmp_path: Path) -> None:
    home = Home(tmp_path)
    bucket = objects.of_settings(StoreSettings(url="s3://bucket/a/b/", s3_endpoint="https://s3.example"), home)
    assert isinstance(bucket, objects.InBucket)
    assert (bucket._bucket.name, bucket._prefix, bucket.where) == ("bucket", "a/b/", "s3://bucket/a/b")
    assert isinstance(objects.of_settings(StoreSettings(url=str(tmp_path)), home), Folder)


def test_doctor_looks_at_the_store(studio: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    root = tmp_path / "share"
    sections = {"journal": {"url": studio, "room": "left"}, "store": {"url": str(root)}}
    examined = Examined(home, None)
    monkeypatch.setattr(Examined, "settings", Settings.model_validate(sections))
    assert "there is no such folder" in _checked(examined, "fail")
    root.mkdir()
    assert "has no studio.json" in _checked(examined, "warn")
    (root / MARK).write_bytes(mark_of("another"))
    assert "of another studio" in _checked(examined, "fail")


def _checked(examined: Examined, state: str) -> str:
    found = machine_checks.journal(examined)
    assert found.state == state
    return found.text
