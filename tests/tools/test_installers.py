"""The installers, as far as they can be tried without their systems; setup.exe is tried by `make test-installers`."""

from __future__ import annotations

import os
import plistlib
import signal
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.installers import deb, macos, pieces
from tools.installers.windows_helper import with_entry, without_entry

FOLDER = r"C:\Users\Zoë\AppData\Local\Programs\daw-bridge"
PINS = "aa==1 \\\n    --hash=sha256:0\n    # via b\nbb==2 ; python_version < '3.12' \\\n    --hash=sha256:1\nbb==3 \\\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", FOLDER),
        (";", FOLDER),
        (r"%USERPROFILE%\bin", rf"%USERPROFILE%\bin;{FOLDER}"),
        (r"C:\a;;C:\b;", rf"C:\a;;C:\b;{FOLDER}"),
        (rf"C:\a;{FOLDER};C:\b", rf"C:\a;{FOLDER};C:\b"),
    ],
)
def test_path_gets_the_folder_once(before: str, after: str) -> None:
    assert with_entry(before, FOLDER) == after
    assert with_entry(after, FOLDER) == after


@pytest.mark.parametrize("before", ["", r"%USERPROFILE%\bin", r"C:\a;;C:\b", "x" * 5000])
def test_path_is_as_it_was_afterwards(before: str) -> None:
    assert without_entry(with_entry(before, FOLDER), FOLDER) == before
    assert without_entry(before, FOLDER) == before


def test_the_pins_of_some_packages_keep_their_hashes_and_markers() -> None:
    assert pieces.chosen(PINS, {"bb"}) == PINS[PINS.index("bb==2") :]
    assert pieces.chosen(PINS, {"aa"}) == PINS[: PINS.index("bb==2")]


def test_what_macos_asks_is_explained_by_the_app() -> None:
    told = plistlib.loads(plistlib.dumps(macos.info("arm64")))
    for folder in ("DocumentsFolder", "DesktopFolder", "DownloadsFolder", "RemovableVolumes", "NetworkVolumes"):
        assert "folders that you name" in told[f"NS{folder}UsageDescription"]
    assert not [key for key in told if "Microphone" in key]


def run(program: Path, *words: str, home: Path, env: Mapping[str, str] | None = None) -> str:
    given = {"PATH": os.environ["PATH"], "HOME": str(home), "DAW_BRIDGE_HOME": str(home / "bridge"), **(env or {})}
    given |= {f"DAW_BRIDGE_{name}": "0" for name in ("HTTP__PORT", "OSC__PORT", "PUBLISH__SOURCE_PORT")}
    given |= {"DAW_BRIDGE_ENGINE__NAME": "sketch", "DAW_BRIDGE_MIDI__ENABLED": "false"}
    home.mkdir(exist_ok=True)
    done = subprocess.run([program, *words], cwd=home, env=given, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def processes_of(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "cmdline").read_bytes().split(b"\0")[0]:
                found.append(int(process.name))
        except OSError:  # it has just ended
            continue
    return found


@pytest.mark.thorough
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="made for Linux, or made on it")
class TestOnThisMachine:
    def test_the_debian_package_runs_where_it_is_unpacked(self, tmp_path: Path) -> None:
        python = next((one for one in deb.PYTHONS if Path(f"/usr/bin/python{one}").exists()), None)
        if python is None:
            pytest.skip("needs a Python of Debian in /usr/bin: install the package python3")
        made = deb.make(tmp_path, pieces.pack_wheel(tmp_path), tmp_path / "work", python)
        fields = subprocess.run(["dpkg-deb", "-f", made, "Depends"], check=True, capture_output=True, text=True).stdout
        assert f"python3 (>= {python}~)" in fields
        root = tmp_path / "root"
        subprocess.run(["dpkg-deb", "-x", made, root], check=True)
        program, home = root / "usr" / "bin" / "daw-bridge", tmp_path / "person"
        run(program, "demo", "--no-keep", home=home)
        run(program, "start", home=home)
        try:
            ours = root / "usr" / "lib" / "daw-bridge"
            assert processes_of(ours)
            # what dpkg runs before it removes the files, for this place
            subprocess.run(["dpkg-deb", "-e", made, tmp_path / "control"], check=True)
            script = (tmp_path / "control" / "prerm").read_text().replace("/usr/lib/daw-bridge", str(ours))
            subprocess.run(["sh", "-c", script], check=True)
            run(program, "logs", home=home)
            self.await_end(ours)
            assert "daw-bridge has stopped" in (home / "bridge" / "logs" / "daemon.log").read_text()
        finally:
            for process in processes_of(root):
                os.kill(process, signal.SIGKILL)

    def await_end(self, folder: Path) -> None:
        for _ in range(300):
            if not processes_of(folder):
                return
            signal.sigtimedwait([], 0.1)
        raise AssertionError("it still runs")

    def test_the_app_runs_with_a_python_in_it(self, tmp_path: Path) -> None:
        """A Python of this machine stands in for that of macOS; the layout and the launcher are the same."""
        stand_in = tmp_path / "python"
        venv.create(stand_in, symlinks=False)
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        wheel = pieces.pack_wheel(tmp_path)
        app = macos.make(tmp_path / "out", wheel, tmp_path / "work", python, "arm64", stand_in)
        link = tmp_path / "bin" / "daw-bridge"
        link.parent.mkdir()
        link.symlink_to(app / "Contents" / "Resources" / "bin" / "daw-bridge")
        assert pieces.VERSION in run(link, "--version", home=tmp_path / "person")
        run(link, "demo", "--no-keep", home=tmp_path / "person")

    @pytest.mark.needs("ruby", "ruby")
    def test_the_formula_is_ruby_and_its_source_has_the_pins(self, tmp_path: Path) -> None:
        made = macos.formula(tmp_path, "3.13", "")
        said = subprocess.run(["ruby", "-c", made], check=True, capture_output=True, text=True).stdout
        assert "Syntax OK" in said
        (source,) = tmp_path.glob("*.tar.gz")
        listed = subprocess.run(["tar", "-tzf", source], check=True, capture_output=True, text=True).stdout
        assert f"daw_bridge-{pieces.VERSION}/requirements.txt" in listed.splitlines()

    def test_uv_installs_it_as_a_tool(self, tmp_path: Path) -> None:
        wheel = pieces.pack_wheel(tmp_path)
        env = {**os.environ, "UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
        pins = pieces.ROOT / "requirements.txt"
        command = ["-m", "uv", "-q", "tool", "install", "--python", sys.executable, "-c", str(pins), str(wheel)]
        subprocess.run([sys.executable, *command], check=True, env=env)
        run(tmp_path / "bin" / "daw-bridge", "demo", "--no-keep", home=tmp_path / "person")
