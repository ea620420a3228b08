"""Records the MIDI clock and the time code of hardour (Ardour without a window) over a JACK server of its own.

    python -m tests.recorded.record_hardour hardour-87.5.json --tempo 87.5 --seconds 12

Needs jackd2 and ardour (Debian). The JSON has a line for each message: [arrival in s, bytes in hex]. What arrives is
read every millisecond, so the arrival times have the jitter of JACK's period, of hardour, and of that.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

LIB = Path("/usr/lib/ardour7")
CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour><Config><Option name="send-midi-clock" value="1"/><Option name="send-mtc" value="1"/>
<Option name="try-autostart-engine" value="1"/></Config></Ardour>"""


def environment(work: Path) -> dict[str, str]:
    """Return the environment of hardour and of the JACK server, away from everything of the user's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("JACK")}
    return kept | {
        "HOME": str(work),
        "XDG_RUNTIME_DIR": str(work),
        "JACK_NO_AUDIO_RESERVATION": "1",
        "JACK_NO_START_SERVER": "1",
        "JACK_DEFAULT_SERVER": f"rec{os.getpid()}",
        "LD_LIBRARY_PATH": str(LIB),
        "ARDOUR_DATA_PATH": "/usr/share/ardour7",
        "ARDOUR_CONFIG_PATH": "/etc/ardour7",
        "ARDOUR_DLL_PATH": str(LIB),
        "ARDOUR_SURFACES_PATH": str(LIB / "surfaces"),
        "ARDOUR_BACKEND_PATH": str(LIB / "backends"),
        "ARDOUR_PANNER_PATH": str(LIB / "panners"),
    }


def make_session(work: Path, env: dict[str, str], tempo: float) -> Path:
    """Make a session at a tempo."""
    script = work / "new.lua"
    session = work / "song"
    script.write_text(
        'AudioEngine:set_backend("JACK","","") '
        f'local s=create_session("{session}","song",48000) assert(s) s:save_state("") close_session() quit()'
    )
    subprocess.run(["ardour7-lua", str(script)], env=env, check=True, timeout=60, capture_output=True)
    file = session / "song.ardour"
    text = file.read_text("utf-8")
    changed = re.sub(r'(<Tempo [^>]*?\bnpm=")[^"]+(")', rf"\g<1>{tempo:g}\g<2>", text)
    changed = re.sub(r'(<Tempo [^>]*?\benpm=")[^"]+(")', rf"\g<1>{tempo:g}\g<2>", changed)
    file.write_text(changed, "utf-8")
    return session


def record(env: dict[str, str], seconds: float) -> list[list[object]]:
    """Return what arrives from hardour's two ports."""
    os.environ.update({key: env[key] for key in env if key.startswith("JACK")})
    ctypes.CDLL("libjack.so.0", mode=ctypes.RTLD_GLOBAL)  # the wheel's own does not understand servers of today
    from supriya_midi.rtmidi_ext import RtMidiAPI, RtMidiIn

    port = RtMidiIn(RtMidiAPI.UNIX_JACK, "recorder", 16_384)
    port.ignore_types(sysex=False, timing=False, active_sense=True)
    port.open_virtual_port("in")
    try:
        for name in ("ardour:MIDI Clock out", "ardour:MTC out"):
            subprocess.run(["jack_connect", name, "recorder:in"], env=env, check=True, capture_output=True)
        found: list[list[object]] = []
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            while got := port.get_message()[0]:
                found.append([round(now, 6), bytes(got).hex()])
            time.sleep(0.001)
        return found
    finally:
        for name in ("ardour:MIDI Clock out", "ardour:MTC out"):
            subprocess.run(["jack_disconnect", name, "recorder:in"], env=env, check=False, capture_output=True)
        time.sleep(0.1)
        port.close_port()


def wait_for_port(env: dict[str, str], name: str) -> None:
    """Wait until a JACK port is there."""
    for _ in range(200):
        found = subprocess.run(["jack_lsp"], env=env, check=False, capture_output=True, text=True).stdout
        if name in found.splitlines():
            return
        time.sleep(0.05)
    raise SystemExit(f"no JACK port {name}")


def main() -> None:
    """Record, and write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--tempo", type=float, default=120.0)
    parser.add_argument("--seconds", type=float, default=12.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        config = work / ".config" / "ardour7"
        config.mkdir(parents=True)
        (config / ".a7").touch()
        (config / "config").write_text(CONFIG)
        env = environment(work)
        server = ["jackd", "-r", "-S", "-n", env["JACK_DEFAULT_SERVER"], "--no-mlock", "-d", "dummy", "-r", "48000"]
        jack = subprocess.Popen([*server, "-p", "256"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(env, "system:capture_1")
            session = make_session(work, env, given.tempo)
            with (work / "hardour.log").open("w") as log:
                daw = subprocess.Popen(
                    [str(next(LIB.glob("hardour-*"))), str(session), "song"], env=env, stdout=log, stderr=log
                )
            try:
                wait_for_port(env, "ardour:MIDI Clock out")
                messages = record(env, given.seconds)
            finally:
                daw.terminate()
                daw.wait(15)
        finally:
            jack.terminate()
            jack.wait(15)
    lines = ",\n".join(json.dumps(message) for message in messages)
    given.file.write_text(f"[\n{lines}\n]\n", "utf-8")


if __name__ == "__main__":
    main()
