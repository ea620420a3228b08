"""A package for Debian and Ubuntu: the pinned wheels beside the system's own Python, one package for each Python."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tools.installers.pieces import NAME, ROOT, VERSION, Target, install_packages, must_have

#: Debian 12; Ubuntu 24.04; Debian 13; Ubuntu 26.04.
PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
_HOME: Final = f"usr/lib/{NAME}"
#: Works wherever the package is unpacked. -I: what lies in the person's folders and variables is not loaded.
_PROGRAM: Final = f"""#!/bin/sh
lib=$(cd "$(dirname "$(readlink -f "$0")")/../lib/{NAME}" && pwd)
exec "$lib/bin/python3" -I -m bridge_daemon "$@"
"""
#: What runs would load modules of another version, or none; SIGTERM ends it in good order.
_BEFORE_REMOVAL: Final = f"""#!/bin/sh
set -e
for process in /proc/[0-9]*; do
  case "$(tr '\\0' ' ' 2>/dev/null < "$process/cmdline")" in
    "/{_HOME}/bin/python3 "*"-m bridge_daemon run"*) kill -TERM "${{process#/proc/}}" 2>/dev/null || true ;;
  esac
done
exit 0
"""
_CONTROL: Final = """Package: {name}
Version: {version}
Architecture: amd64
Maintainer: DAW Bridge <daw-bridge@localhost>
Section: sound
Priority: optional
Installed-Size: {kilobytes}
Depends: python3 (>= {python}~), python3 (<< {next}~), libc6 (>= 2.28)
Recommends: gnome-keyring | kwalletmanager
Suggests: rubberband-cli, cloudflared
Description: Brings generated audio to the timeline of a DAW
 One press in a DAW, one paid generation, one take at the right place.
 .
 Start with: daw-bridge demo. Removing the package leaves takes, settings and
 the journal of every person where they are.
"""


def make(out: Path, wheel: Path, work: Path, python: str) -> Path:
    """Make the package and return it."""
    dpkg = must_have("dpkg-deb", "dpkg")
    root = work / "root"
    lay_out(root, wheel, python)
    made = out / f"{NAME}_{_version(python)}_amd64.deb"
    subprocess.run(
        [dpkg, "--root-owner-group", "-Zxz", "-z2", "--build", str(root), str(made)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return made


def lay_out(root: Path, wheel: Path, python: str) -> None:
    """Lay the files out as they will lie on the disk: a virtual environment on the system's Python."""
    shutil.rmtree(root, ignore_errors=True)
    home = root / _HOME
    install_packages(Target("x86_64-manylinux_2_28", python), wheel, home / "lib" / f"python{python}" / "site-packages")
    (home / "bin").mkdir()
    (home / "bin" / "python3").symlink_to(f"/usr/bin/python{python}")
    (home / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n", encoding="utf-8"
    )
    program = root / "usr" / "bin" / NAME
    program.parent.mkdir(parents=True)
    program.write_text(_PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    papers = root / "usr" / "share" / "doc" / NAME
    papers.mkdir(parents=True)
    shutil.copy2(ROOT / "LICENSE", papers / "copyright")
    _write_control(root, python)


def _write_control(root: Path, python: str) -> None:
    files = sorted(file for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    control = root / "DEBIAN"
    control.mkdir()
    major, minor = python.split(".")
    text = _CONTROL.format(
        name=NAME, version=_version(python), python=python, next=f"{major}.{int(minor) + 1}",
        kilobytes=sum(file.stat().st_size for file in files) >> 10,
    )  # fmt: skip
    (control / "control").write_text(text, encoding="utf-8")
    sums = [f"{hashlib.md5(file.read_bytes()).hexdigest()}  {file.relative_to(root)}\n" for file in files]
    (control / "md5sums").write_text("".join(sums), encoding="utf-8")
    script = control / "prerm"
    script.write_text(_BEFORE_REMOVAL, encoding="utf-8")
    script.chmod(0o755)
    for folder in (one for one in root.rglob("*") if one.is_dir() and not one.is_symlink()):
        folder.chmod(0o755)


def _version(python: str) -> str:
    return f"{VERSION}+py{python}"
