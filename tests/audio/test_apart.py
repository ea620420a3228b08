"""Decoding in a process of its own: a decoder that crashes, hangs or fills the memory takes nothing with it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from bridge_daemon.audio import apart, opening
from bridge_daemon.audio.workers import Died, Limits, Workers
from bridge_daemon.errors import DecoderDied, SourceRefused
from bridge_daemon.util import ourselves
from tests.audio.sounds import noise, write
from tests.audio.test_take import verify

RATE = 44_100
LIMITS = Limits(answer=3.0, in_all=30.0, memory=400 << 20, look=0.05)
Pool = Callable[..., Workers]


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """A way to have workers of one's own: naughty ones, or such with limits."""
    made: list[Workers] = []

    def make(*way: str, limits: Limits = LIMITS) -> Workers:
        command = [sys.executable, str(Path(__file__).with_name("naughty.py")), *way]
        workers = Workers(lambda: command, limits) if way else Workers(limits=limits)
        made.append(workers)
        monkeypatch.setattr(apart, "WORKERS", workers)
        return workers

    yield make
    for workers in made:
        workers.close()


@pytest.fixture
def sound(folder: Path) -> Path:
    return write(folder / "a.wav", noise(10 * RATE), RATE)


def decoded(path: Path) -> int:
    with apart.open_audio(path) as audio:
        return sum(len(block) for block in audio.blocks())


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("hang", "it took more than 3 s"),
        ("hang_with_the_lock", "it took more than 3 s"),
        ("fill_the_memory", "memory"),
        ("claim_it_all", "memory"),
        ("crash", "crashed"),
        ("fail", "crashed"),
    ],
)
def test_a_decoder_that_goes_wrong_is_told_and_the_next_file_is_decoded(
    pool: Pool, sound: Path, way: str, said: str
) -> None:
    pool(way)
    before = children()
    with pytest.raises(Died, match=said) as caught:
        decoded(sound)
    assert caught.value.code == "E-SOURCE"
    assert '"a.wav"' in caught.value.message
    assert children() - before == set(), "its process is still there"
    pool()
    assert decoded(sound) == 10 * RATE


def test_the_memory_of_the_decoder_is_watched_and_not_that_of_its_launcher(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python of a virtual environment is a launcher on Windows, and so is a program packed into one file."""
    launch = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
    command = [sys.executable, "-I", "-S", "-c", launch, *ourselves.decoder()]
    long = write(folder / "long.wav", noise(60 * RATE), RATE)  # more than there is room for in a pipe
    workers = Workers(lambda: command, Limits(memory=24 << 20, look=0.05))
    monkeypatch.setattr(apart, "WORKERS", workers)
    with pytest.raises(Died, match="24 MiB of memory"), apart.open_audio(long) as audio:
        for _ in audio.blocks():
            time.sleep(0.2)
    workers.close()


def test_the_time_is_watched_where_the_memory_cannot_be(
    pool: Pool, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise OSError(22, "Invalid parameter")  # as psutil lets through what Windows says

    monkeypatch.setattr(psutil.Process, "memory_info", refuse)
    pool("hang", limits=Limits(answer=1.0, in_all=30.0, look=0.05))
    with pytest.raises(Died, match="it took more than 1 s"):
        decoded(sound)


def test_of_a_take_it_is_told_that_it_was_paid_for(pool: Pool, sound: Path) -> None:
    pool("crash")
    with pytest.raises(DecoderDied) as caught:
        verify(sound)
    assert (caught.value.code, caught.value.charge) == ("E-DECODER", "confirmed")


def test_what_a_library_prints_is_no_answer(pool: Pool, sound: Path) -> None:
    pool("print_something")
    assert decoded(sound) == 10 * RATE


def test_nonsense_instead_of_an_answer_ends_it(pool: Pool, sound: Path) -> None:
    pool("talk_nonsense")
    with pytest.raises(Died, match=r"does not answer as it should|crashed"):
        decoded(sound)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM"])
def test_every_bit_of_a_sample_comes_through(pool: Pool, folder: Path, subtype: str) -> None:
    path = write(folder / "a.wav", noise(3 * RATE), RATE, subtype=subtype)
    with opening.open_audio(path) as here, apart.open_audio(path) as there:
        assert there.info == here.info
        assert np.array_equal(np.concatenate(list(there.blocks())), np.concatenate(list(here.blocks())))
        assert np.array_equal(next(there.blocks(1234, 99)), next(here.blocks(1234, 99)))


def test_what_is_not_read_to_its_end_is_no_trouble_for_the_next(pool: Pool, sound: Path) -> None:
    pool()
    before = children()
    with apart.open_audio(sound) as audio:
        begun = audio.blocks()
        first = next(begun)
        assert np.array_equal(next(audio.blocks()), first)  # from the start again, while the other is half read
    with pytest.raises(RuntimeError, match="ours"), apart.open_audio(sound) as audio:
        next(audio.blocks())
        raise RuntimeError("ours")
    assert decoded(sound) == 10 * RATE
    assert len(children() - before) == 1, "one process is kept for the next file"


def test_several_at_once(pool: Pool, sound: Path) -> None:
    pool()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(decoded(sound))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [10 * RATE] * 12


def test_one_that_was_ended_while_it_was_idle_is_not_missed(pool: Pool, sound: Path) -> None:
    pool()
    before = children()
    assert decoded(sound) == 10 * RATE
    for pid in children() - before:
        psutil.Process(pid).kill()
    assert decoded(sound) == 10 * RATE


def test_it_ends_when_there_is_nothing_to_do(pool: Pool, sound: Path) -> None:
    pool(limits=Limits(idle=0.2))
    before = children()
    assert decoded(sound) == 10 * RATE
    until = time.monotonic() + 10
    while children() - before and time.monotonic() < until:
        time.sleep(0.05)
    assert children() - before == set()
    assert decoded(sound) == 10 * RATE, "and is started again"


def test_it_is_told_no_secret_and_is_confined(pool: Pool, sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPIRIOLABS_API_KEY", "sk-not-for-decoders")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-decoders")
    monkeypatch.setenv("DAW_BRIDGE_HTTP__PORT", "1")
    pool()
    before = children()
    decoded(sound)
    [pid] = children() - before
    there = psutil.Process(pid)
    told = there.environ()
    assert not [name for name in told if name.startswith(("EMPIRIOLABS", "AWS", "DAW_BRIDGE"))]
    assert "PATH" in told
    if sys.platform == "linux":
        assert there.rlimit(psutil.RLIMIT_AS)[1] == 4 << 30
        assert there.rlimit(psutil.RLIMIT_CORE)[1] == 0
        # what it holds open: its pipes, and nothing of ours; the file is let go of after the last of it was handed over
        until = time.monotonic() + 10
        while (held := _held_open(there)) and time.monotonic() < until:
            time.sleep(0.02)
        assert not held
        assert there.net_connections() == []


def _held_open(process: psutil.Process) -> list[str]:
    """The files that a process holds open, without libraries: libffi may hold itself, for its trampolines."""
    return [file.path for file in process.open_files() if ".so" not in Path(file.path).suffixes]


def test_it_ends_with_its_owner(sound: Path) -> None:
    script = f"""
        import os
        from pathlib import Path
        import psutil
        from bridge_daemon.audio import apart
        with apart.open_audio(Path({str(sound)!r})) as audio:
            next(audio.blocks())
            print(psutil.Process().children()[0].pid, flush=True)
            os._exit(1)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, env=os.environ, check=False
    )
    pid, until = int(ended.stdout), time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)


def test_a_file_that_is_no_audio_costs_no_process(pool: Pool, folder: Path, sound: Path) -> None:
    pool()
    before = children()
    decoded(sound)
    kept = children() - before
    (folder / "x.wav").write_bytes(b"<html>")
    with pytest.raises(SourceRefused, match="a web page"):
        decoded(folder / "x.wav")
    assert children() - before == kept
