"""Fetch and finish: what was paid for comes onto the disk, whole and proved, whatever the network does to it."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from wavinfo import WavInfoReader

from bridge_daemon.audio import apart
from bridge_daemon.audio.workers import Limits, Workers
from bridge_daemon.domain.job import Charge, Job, State
from bridge_daemon.engine.download import check_url, is_private, serves_privately
from bridge_daemon.errors import DecoderDied, DownloadTrouble
from bridge_daemon.journal import Transaction
from bridge_daemon.journal.rows import to_row
from bridge_daemon.pipeline import context, turns
from bridge_daemon.pipeline import fetch as fetching
from bridge_daemon.pipeline import finish as finishing
from bridge_daemon.pipeline.making import keep
from bridge_daemon.util import files, ourselves
from tests.audio import naughty as naughty_worker
from tests.fakes.service import Service
from tests.support import events, job_of, press, running, until, until_event

HEALED = [
    "403",
    "404",
    "410",
    "500",
    "503",
    "429:1",
    "drop*2",
    "html_200",
    "zero_bytes",
    "drop_at:0.1",
    "drop_at:0.99",
    "wrong_length_long",
    "wrong_length_short",
    "huge_declared",
    "garbage",
    "truncated_wav_right_length",
    "redirect_loop",
    "redirect_private",
    "gzip_encoding",
    "no_length",
    "redirect:3",
    "not_wav_flac",
]


@pytest.mark.fault(22)
async def test_a_take_of_another_length_than_was_told_is_only_believed_when_it_comes_twice(tmp_path: Path) -> None:
    async with Service(told_seconds=30.0) as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, await press(daemon), seconds=30)
        assert job.state is State.PLACED
        assert "the service said 30 s, and 1.00 s came, twice" in job.notes
        assert len(service.downloads) == 2
        assert len(service.charges) == 1


@pytest.mark.parametrize("word", HEALED)
@pytest.mark.fault(22, 23, 24)
async def test_a_bad_download_is_made_again(tmp_path: Path, word: str) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_download(word)
        name = await press(daemon)
        job = await until(daemon, name, seconds=30)
        assert (job.state, job.charge, job.problem) == (State.PLACED, Charge.CONFIRMED, None)
        assert job.take is not None
        assert job.original is not None
        sound, rate = soundfile.read(job.take.file)
        original, _ = soundfile.read(job.original)
        assert rate == 44_100
        assert np.abs(sound - original).max() < 1e-4
        assert len(service.charges) == 1
        assert service.violations == []
        leftovers = [path.name for path in (tmp_path / "home" / "library").rglob("*") if path.name.endswith(".part")]
        assert leftovers == []


@pytest.mark.fault(24)
async def test_what_cannot_be_decoded_is_kept_as_a_problem_and_fetched_again_by_hand(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_download("garbage*50")
        name = await press(daemon)
        await until_event(daemon, name, "problem")
        job = await job_of(daemon, name)
        assert (job.state, job.charge) == (State.FETCHING, Charge.CONFIRMED)
        assert job.problem is not None
        assert job.problem.code == "E-UNDECODABLE"
        assert job.output_url is not None
        service.control({"clear": True})
        await daemon.actions.retry(name, {})
        assert (await until(daemon, name)).state is State.PLACED
        assert len(service.charges) == 1


@pytest.mark.parametrize("way", ["crash", "hang"])
async def test_what_makes_its_decoder_die_is_kept_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    naughty = [sys.executable, str(Path(naughty_worker.__file__)), way]
    workers, good = Workers(lambda: naughty, Limits(answer=2.0)), apart.WORKERS
    monkeypatch.setattr(apart, "WORKERS", workers)
    try:
        async with Service(take_seconds=None) as service, running(tmp_path / "home", service) as daemon:
            name = await press(daemon, duration=5)
            await until_event(daemon, name, "problem", seconds=60)
            job = await job_of(daemon, name)
            assert (job.state, job.charge) == (State.FETCHING, Charge.CONFIRMED)
            assert job.problem is not None
            assert job.problem.code == "E-DECODER"
            [kept] = (tmp_path / "home" / "library").rglob("*.undecoded")
            assert str(kept) in job.problem.text
            came, fetched = kept.read_bytes(), len(service.downloads)
            monkeypatch.setattr(apart, "WORKERS", good)
            await daemon.actions.retry(name, {})
            job = await until(daemon, name, seconds=60)
            assert (job.state, job.charge, job.problem) == (State.PLACED, Charge.CONFIRMED, None)
            assert job.original is not None
            assert Path(job.original).read_bytes() == came
            assert not kept.exists()
            assert len(service.downloads) == fetched, "what came is not downloaded once more"
            assert len(service.charges) == 1
    finally:
        workers.close()


async def test_a_decoder_that_hangs_holds_up_no_other_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One take is made at a time on two cores; a decoder may take two minutes to answer."""
    monkeypatch.setattr(context, "_AT_ONCE", 1)
    monkeypatch.setattr(turns, "SLOW", 0.3)
    hangs = [sys.executable, str(Path(naughty_worker.__file__)), "hang"]
    commands = iter([hangs])  # the first; those behind it are good ones
    slow = 60.0 if sys.platform == "win32" else 15.0  # s: longer than the others take, by wine on a busy machine
    workers = Workers(lambda: next(commands, None) or ourselves.decoder(), Limits(answer=slow))
    monkeypatch.setattr(apart, "WORKERS", workers)
    monkeypatch.setattr(context, "WORKERS", workers)
    try:
        async with Service(take_seconds=None) as service, running(tmp_path / "home", service) as daemon:
            first = await press(daemon, duration=5)
            await until_event(daemon, first, "fetching")
            others = [await press(daemon, duration=5, prompt=f"rain {number}") for number in range(3)]
            for other in others:
                assert (await until(daemon, other, seconds=0.8 * slow)).state is State.PLACED
            assert (await job_of(daemon, first)).state is State.FETCHING
            await until_event(daemon, first, "problem", seconds=90)
            told = (await job_of(daemon, first)).problem
            assert told is not None
            assert f"it took more than {slow:g} s" in told.text
            await daemon.actions.retry(first, {})
            assert (await until(daemon, first, seconds=60)).state is State.PLACED
            assert len(service.charges) == 4
    finally:
        workers.close()


async def test_a_decoder_that_dies_later_loses_no_original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof was good, its take could not be put into the library, and the process that makes it anew is ended."""
    unnamed = iter([True])
    died = iter([True])

    def once(*args: Any, **kwargs: Any) -> Any:
        if next(died, False):
            raise DecoderDied("its decoder crashed (signal 9)", charge="confirmed")
        return made(*args, **kwargs)

    def unwritten(*args: Any) -> Any:
        if next(unnamed, False):
            raise PermissionError(errno.EACCES, "Permission denied")
        return keep(*args)

    made = finishing._made
    monkeypatch.setattr(finishing, "_made", once)
    monkeypatch.setattr(fetching, "keep", unwritten)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        name = await press(daemon)
        await until_event(daemon, name, "problem", seconds=60)
        assert (await until(daemon, name, seconds=60)).problem is None
        assert len(service.downloads) == 1
        told = await events(daemon, name)
        assert [told.count(kind) for kind in ("fetched", "stored", "delivery", "original_lost")] == [1, 1, 1, 0]
    assert next(unnamed, None) is next(died, None) is None
    assert list(tmp_path.rglob("*.part")) == []


async def test_a_take_that_came_is_stored_and_due_in_one_transaction(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        name = await press(daemon)
        states: list[tuple[State, bool, int]] = []
        daemon.journal.listen(lambda job: states.append((job.state, job.original is not None, job.delivery)))
        job = await until(daemon, name)
        assert (State.STORED, True, 1) in states
        assert (State.FETCHING, True, 0) not in states
        told = await events(daemon, name)
        assert [kind for kind in told if kind in ("fetched", "stored", "delivery")] == ["fetched", "stored", "delivery"]
        assert job.state is State.PLACED


async def test_a_take_that_is_not_wanted_any_more_is_kept_and_not_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cancelled after its step began."""
    proving, cancelled = threading.Event(), threading.Event()

    def slow(*args: Any) -> Any:
        proving.set()
        assert cancelled.wait(30)
        return keep(*args)

    monkeypatch.setattr(fetching, "keep", slow)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        name = await press(daemon)
        assert await asyncio.to_thread(proving.wait, 30)
        await daemon.actions.cancel(name)
        cancelled.set()
        job = await until(daemon, name, {State.STORED})
        assert (job.wanted, job.delivery) == (False, 0)
        assert "delivery" not in await events(daemon, name)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/x.wav", "http://user:pw@127.0.0.1/x", "javascript:alert(1)"]
)
@pytest.mark.fault(24)
async def test_a_hostile_url_is_not_followed(tmp_path: Path, url: str) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.hostile_url = url
        name = await press(daemon)
        await until(daemon, name, {State.GENERATING, State.FETCHING})
        await until_event(daemon, name, "problem", seconds=30)
        assert service.downloads == []
        service.hostile_url = None
        await daemon.actions.retry(name, {})


@pytest.mark.parametrize(
    ("url", "private", "allowed"),
    [
        ("https://cdn.example.com/a.wav?sig=1", False, True),
        ("http://cdn.example.com/a.wav", False, False),
        ("https://127.0.0.1/a.wav", False, False),
        ("https://10.0.0.1/a.wav", False, False),
        ("https://192.168.1.1/a.wav", False, False),
        ("https://169.254.169.254/latest", False, False),
        ("https://[::1]/a.wav", False, False),
        ("https://[fd00::1]/a.wav", False, False),
        ("https://localhost/a.wav", False, False),
        ("https://user@cdn.example.com/a.wav", False, False),
        ("https:///a.wav", False, False),
        ("http://127.0.0.1:1/a.wav", True, True),
        ("ftp://127.0.0.1/a.wav", True, False),
        ("file:///etc/passwd", True, False),
    ],
)
def test_where_a_download_may_lead(url: str, private: bool, allowed: bool) -> None:
    if allowed:
        assert str(check_url(url, private=private)) == url
    else:
        with pytest.raises(DownloadTrouble):
            check_url(url, private=private)


def test_only_a_private_service_may_name_private_addresses() -> None:
    assert serves_privately("http://127.0.0.1:8080")
    assert serves_privately("http://localhost:1")
    assert not serves_privately("https://api.empiriolabs.ai")
    assert is_private("100.64.0.1")
    assert not is_private("8.8.8.8")


async def test_mp3_is_decoded_its_delay_cut_and_said(tmp_path: Path) -> None:
    async with Service(take_seconds=None) as service, running(tmp_path / "home", service) as daemon:
        service.script_download("mp3_instead")
        job = await until(daemon, await press(daemon, duration=2))
        assert job.state is State.PLACED
        assert job.original is not None
        assert job.original.endswith(".original.mp3")
        assert any("encoder delay" in note for note in job.notes)


async def test_the_take_is_a_broadcast_wave_at_its_place(tmp_path: Path) -> None:
    async with Service(take_seconds=None) as service, running(tmp_path / "home", service) as daemon:
        place = {"position": 12.25, "time_offset": 3600.0, "sample_rate": 48_000, "length": 2.0}
        job = await until(daemon, await press(daemon, prompt="Regen über Öl", duration=2, seed=7, place=place))
        assert job.take is not None
        info = soundfile.info(job.take.file)
        assert (info.samplerate, info.frames, info.subtype) == (48_000, 96_000, "PCM_24")
        read = WavInfoReader(job.take.file)
        assert read.bext.time_reference == round((12.25 + 3600) * 48_000) == job.take.time_reference
        assert read.bext.originator.rstrip("\0") == "daw-bridge"
        assert read.bext.originator_ref.rstrip("\0") == job.id
        assert read.bext.description.rstrip("\0") == "Regen uber Ol"
        assert "Regen über Öl" in Path(job.take.file).read_bytes().decode("utf-8", "ignore")
        assert job.take.sha256 == files.sha256(Path(job.take.file))
        assert job.take.file.endswith(f"{job.id}.wav")


@pytest.mark.needs("ffprobe", "ffmpeg")
async def test_an_independent_reader_finds_the_time_stamp(tmp_path: Path) -> None:
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        job = await until(daemon, await press(daemon, place={"position": 7.0}))
        assert job.take is not None
        command = ["ffprobe", "-v", "error", "-show_entries", "format_tags=time_reference", "-of", "csv=p=0"]
        told = await asyncio.to_thread(subprocess.check_output, [*command, job.take.file], text=True)
        assert int(told) == 7 * 44_100


async def test_an_original_that_was_damaged_is_fetched_again(tmp_path: Path) -> None:
    async with Service() as service:
        async with running(tmp_path / "home", service) as daemon:
            name = await press(daemon)
            job = await until(daemon, name)
            assert job.original is not None
            original = Path(job.original)
            await daemon.journal.write("test", lambda tx: _back_to_fetching(tx, name))
            original.write_bytes(b"damaged")
        async with running(tmp_path / "home", service) as daemon:
            job = await until(daemon, name)
            assert job.state is State.PLACED
            assert "original_lost" in await events(daemon, name)
            assert len(service.charges) == 1


def _back_to_fetching(tx, name: str) -> None:
    from sqlalchemy import update

    from bridge_daemon.journal.tables import jobs

    tx._connection.execute(update(jobs).where(jobs.c.job == name).values(state="fetching", take=None))


async def test_a_take_of_the_built_in_engine_is_found_again_after_a_restart(tmp_path: Path) -> None:
    """Its port is another one in each process, and its URLs name it."""
    async with running(tmp_path / "home", None) as daemon:
        job = await press(daemon)
        done = await until(daemon, job)
        gone = {"state": State.FETCHING, "original": None, "take": None, "delivery": 0}
        await daemon.journal.write("test", lambda tx: _as(tx, done, **gone, output_url="http://127.0.0.1:9/x.wav"))
        Path(done.take.file).unlink()  # type: ignore[union-attr]
    async with running(tmp_path / "home", None) as daemon:
        again = await until(daemon, job)
        assert again.state is State.PLACED
        assert again.problem is None


def _as(tx: Transaction, job: Job, **values: Any) -> None:
    from sqlalchemy import update

    from bridge_daemon.journal.tables import jobs

    tx._connection.execute(update(jobs).where(jobs.c.job == job.id).values(**to_row(values)))


DEAD = {
    "no such name": "url:http://no-such-name.invalid/x.wav",
    "nobody there": "url:http://127.0.0.1:9/x.wav",
    "no audio": "url:{url}/v1/models/stable-audio-2-0",
    "another scheme": "url:https://127.0.0.1:9/x.wav",
}


@pytest.mark.parametrize("case", DEAD)
@pytest.mark.parametrize("way", ["by itself", "retry", "restart"])
@pytest.mark.fault(23)
async def test_a_dead_first_url_is_asked_for_anew(tmp_path: Path, case: str, way: str) -> None:
    async with Service() as service:
        service.script_poll(*([DEAD[case]] * (1 if way == "by itself" else 2)))
        async with running(tmp_path / "home", service) as daemon:
            name = await press(daemon)
            if way == "retry":
                await until(daemon, name, {State.FETCHING})
                await daemon.actions.retry(name, {})
            elif way == "restart":
                await until(daemon, name, {State.FETCHING})
            if way != "restart":
                job = await until(daemon, name)
        if way == "restart":
            async with running(tmp_path / "home", service) as daemon:
                job = await until(daemon, name)
        assert (job.state, job.charge, job.problem) == (State.PLACED, Charge.CONFIRMED, None)
        assert len(service.charges) == 1


@pytest.mark.fault(24)
async def test_endless_downloads_are_not_begun_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_LEAST_BOUND", 8 << 20)
    monkeypatch.setattr(fetching, "_MOST_WASTED", 20 << 20)
    monkeypatch.setattr(fetching.random, "uniform", lambda *_: 0.01)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        service.script_download("endless*50")
        name = await press(daemon)
        async with asyncio.timeout(30):
            while "once a day" not in str((await job_of(daemon, name)).problem):
                await asyncio.sleep(0.05)
        begun = len(service.downloads)
        assert begun <= 4
        await asyncio.sleep(1)
        assert len(service.downloads) == begun
        service.control({"clear": True})
        await daemon.actions.retry(name, {})
        job = await until(daemon, name)
        assert (job.state, job.problem) == (State.PLACED, None)
