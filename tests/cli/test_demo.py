from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import psutil
import soundfile

from bridge_daemon.audio.wav import read_bext
from tests.cli.conftest import Cli
from tests.util.ending import INTERRUPT, LONGEST
from tests.util.wine import is_wine


def test_the_demo_makes_two_takes_and_tells_what_their_files_are(cli: Cli) -> None:
    before = time.monotonic()
    done = cli.with_(DAW_BRIDGE_SPEND__PER_DAY_USD="wrong settings of the person are not used").process(
        "demo", "--json"
    )
    assert time.monotonic() - before < (60 if is_wine() else 15)  # it starts two Pythons, which costs wine seconds
    told = json.loads(done.stdout)
    folder = Path(told["folder"])
    try:
        assert told["engine"] == "sketch"
        assert told["cloud_usd"] == 1.16
        assert [take["action"] for take in told["takes"]] == ["generate", "transform"]
        for take, position in zip(told["takes"], (4.0, 8.0), strict=True):
            file = Path(take["file"])
            about, bext = soundfile.info(file), read_bext(file)
            assert (about.samplerate, about.subtype, about.frames) == (48_000, "PCM_24", 8 * 48_000)
            assert (take["rate"], take["bits"], take["channels"]) == (48_000, 24, about.channels)
            assert take["seconds"] == 8.0
            assert bext is not None
            assert bext.time_reference == take["time_reference"] == position * 48_000
            assert "sketch" in file.name
        assert os.name == "nt" or not (folder / "runtime.json").exists()  # its bridge has ended
        assert not cli.home.exists()  # nothing of the person's own was touched
    finally:
        shutil.rmtree(folder)


def test_without_keep_nothing_is_left_and_people_are_told_all(cli: Cli, tmp_path: Path) -> None:
    tmp = tmp_path / "tmp"
    tmp.mkdir()
    done = cli.with_(TMPDIR=str(tmp), TEMP=str(tmp), PYTHONIOENCODING="ascii", TERM="dumb").process("demo", "--no-keep")
    for told in ("text to audio", "audio to audio", "8.000 s", "48000 Hz", "24 bit", "4.000 s", "$0.58", "$1.16"):
        assert told in done.stdout
    assert "not the model's work" in done.stdout
    assert "removed now" in done.stdout
    assert "generating" in done.stderr
    assert not list(tmp.iterdir())


def test_ctrl_c_ends_its_bridge_too(cli: Cli, tmp_path: Path) -> None:
    tmp = tmp_path / "tmp"
    tmp.mkdir()
    process = cli.with_(TMPDIR=str(tmp), TEMP=str(tmp)).popen("demo")
    runtime: list[Path] = []
    deadline = time.monotonic() + (60 if is_wine() else 20)
    while not runtime and time.monotonic() < deadline:
        runtime = list(tmp.glob("*/runtime.json"))
        time.sleep(0.02)
    pid = json.loads(runtime[0].read_text())["pid"]
    process.send_signal(INTERRUPT)
    _, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not psutil.pid_exists(pid)
