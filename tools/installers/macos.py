"""macOS: an app folder that is ready to be signed, and a Homebrew formula.

The app is whole only with a relocatable Python for macOS, which nobody has on Linux: the release workflow gives it, on
a Mac. Without one everything else is laid out, and a file says what is missing.
"""

from __future__ import annotations

import hashlib
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.installers.pieces import NAME, ROOT, VERSION, Missing, Target, install_packages

#: Machines, and what uv calls them. PyAV's wheels for Apple silicon need macOS 14.
MACHINES: Final = {"arm64": "aarch64-apple-darwin", "x86_64": "x86_64-apple-darwin"}
_LEAST: Final = {"arm64": "14.0", "x86_64": "12.0"}
_WHY: Final = "DAW Bridge watches folders that you name, reads the audio that you send, and puts takes beside it."
_OPEN: Final = """#!/bin/sh
# What a double click does: start the bridge if need be, and open its page.
here=$(cd "$(dirname "$0")" && pwd)
"$here/../Resources/bin/daw-bridge" start && exec "$here/../Resources/bin/daw-bridge" open
"""
_PROGRAM: Final = """#!/bin/sh
# The command line. A link to this file works from any folder.
file=$0
while [ -L "$file" ]; do
  link=$(readlink "$file")
  case $link in /*) file=$link ;; *) file=$(dirname "$file")/$link ;; esac
done
resources=$(cd "$(dirname "$file")/.." && pwd -P)
exec "$resources/python/bin/python3" -I -m bridge_daemon "$@"
"""
_FORMULA: Final = """class DawBridge < Formula
  include Language::Python::Virtualenv

  desc "Brings generated audio to the timeline of a DAW"
  homepage "{homepage}"
  url "{url}"
  sha256 "{sha256}"
  license "MIT"

  depends_on "python@{python}"

  # Wheels that are pinned with their hashes; nothing is compiled.
  def install
    venv = virtualenv_create(libexec, "python{python}", without_pip: false)
    pip = [libexec/"bin/python", "-m", "pip", "install", "--require-hashes", "--only-binary=:all:"]
    system(*pip, "-r", "requirements.txt")
    venv.pip_install_and_link buildpath, build_isolation: false
  end

  service do
    run [opt_bin/"daw-bridge", "run", "--by", "service"]
    keep_alive successful_exit: false
  end

  test do
    ENV["DAW_BRIDGE_HOME"] = testpath/"home"
    system bin/"daw-bridge", "demo", "--no-keep"
  end
end
"""


def make(out: Path, wheel: Path, work: Path, python: str, machine: str, mac_python: Path | None) -> Path:
    """Lay the app out in ``out`` and return its folder."""
    del work
    app = out / f"macos-{machine}" / "DAW Bridge.app"
    shutil.rmtree(app.parent, ignore_errors=True)
    contents = app / "Contents"
    resources = contents / "Resources"
    (resources / "bin").mkdir(parents=True)
    _write(contents / "MacOS" / "DAW Bridge", _OPEN)
    _write(resources / "bin" / NAME, _PROGRAM)
    (contents / "Info.plist").write_bytes(plistlib.dumps(info(machine)))
    shutil.copy2(ROOT / "LICENSE", resources / "LICENSE")
    platform = MACHINES[machine]
    if mac_python is None:
        install_packages(Target(platform, python), wheel, resources / "site-packages")
        note = app.parent / "not whole.txt"
        note.write_text(
            f"The app holds no Python. `python -m tools.installers macos --mac-python FOLDER`, on a Mac, with a\n"
            f"relocatable CPython {python} for {machine} (as uv installs it), makes it whole: see\n"
            ".github/workflows/release.yml.\n",
            encoding="utf-8",
        )
        return app
    if not (mac_python / "bin" / "python3").exists():
        raise Missing(f"{mac_python} holds no bin/python3.")
    shutil.copytree(mac_python, resources / "python", symlinks=True)
    (site,) = (resources / "python" / "lib").glob("python3.*/site-packages")
    install_packages(Target(platform if sys.platform == "darwin" else "linux", python), wheel, site)
    return app


def info(machine: str) -> dict[str, object]:
    """Return the Info.plist. macOS shows the sentences when it asks whether the app may enter a folder."""
    asks = ("Documents", "Desktop", "Downloads")
    return {
        "CFBundleName": "DAW Bridge",
        "CFBundleDisplayName": "DAW Bridge",
        "CFBundleIdentifier": "io.daw-bridge",
        "CFBundleExecutable": "DAW Bridge",
        "CFBundlePackageType": "APPL",
        "CFBundleShortVersionString": VERSION,
        "CFBundleVersion": VERSION,
        "LSMinimumSystemVersion": _LEAST[machine],
        "LSUIElement": True,  # no icon in the Dock: it has no window of its own
        **{f"NS{folder}FolderUsageDescription": _WHY for folder in asks},
        "NSRemovableVolumesUsageDescription": _WHY,
        "NSNetworkVolumesUsageDescription": _WHY,
    }


def formula(out: Path, python: str, url: str) -> Path:
    """Write the Homebrew formula of this version, and the source package that it names; return the formula."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    source = next(out.glob(f"daw_bridge-{VERSION}.tar.gz"))
    where = url or source.as_uri()  # of this machine, to try it
    made = out / f"{NAME}.rb"
    text = _FORMULA.format(
        homepage=where.partition("/releases/")[0], url=where, python=python,
        sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
    )  # fmt: skip
    made.write_text(text, encoding="utf-8")
    return made


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
