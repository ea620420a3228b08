"""The package for Debian by the system's own ``apt install``: ``python -m tests.debian dist/daw-bridge_….deb``.

A fresh Debian is made by debootstrap for the Python that the package is for (3.11: Debian 12; 3.13: Debian 13), and a
person in it follows docs/install.md: install, demo, start, generate. It is removed while the bridge runs. Needs root,
debootstrap and the network; a fresh Debian takes some minutes and is kept in ``--kept``, for the next time.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

SUITES = {"3.11": "bookworm", "3.13": "trixie"}
#: As root; changes go into memory, over the Debian that is kept.
_OUTSIDE = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
cp /etc/resolv.conf "$1/root/etc/"
cp "$3" "$1/root/tmp/"
cat > "$1/root/tmp/inside.sh"
exec chroot "$1/root" sh /tmp/inside.sh
"""
_INSIDE = """
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt-get update -qq
apt-get install -y -qq /tmp/daw-bridge_*.deb > /tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
useradd --create-home 'ana'
su ana -c '
  set -e
  cd
  daw-bridge --version
  daw-bridge demo > demo.txt
  grep "Nothing was spent" demo.txt
  daw-bridge start
  daw-bridge generate "slow piano, 70 bpm" --duration 8 --position 4
  daw-bridge jobs list
  ls Music/daw-bridge/*/*.wav
  test -f .local/share/daw-bridge/runtime.json
'
echo "Removed while it runs:"
apt-get remove -y -qq daw-bridge > /tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
i=0
while test -e /home/ana/.local/share/daw-bridge/runtime.json; do  # an end in good order takes it away
  i=$((i + 1)); test $i -lt 60 || { echo "the bridge runs on, or was cut off"; exit 1; }
  sleep 0.5
done
test ! -e /usr/lib/daw-bridge && test ! -e /usr/bin/daw-bridge
ls /home/ana/Music/daw-bridge/*/*.wav /home/ana/.local/share/daw-bridge/journal.sqlite3
"""


def main() -> int:
    parser = ArgumentParser(prog="python -m tests.debian", description=__doc__)
    parser.add_argument("packages", nargs="+", type=Path)
    parser.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "daw-bridge-debian")
    given = parser.parse_args()
    for package in given.packages:
        python = re.search(r"py(\d\.\d+)_", package.name)
        suite = SUITES.get(python[1]) if python else None
        if suite is None:
            sys.stdout.write(f"{package.name}: no Debian has this Python; not tried.\n")
            continue
        sys.stdout.write(f"== {package.name} on Debian {suite}\n")
        sys.stdout.flush()
        _try(package, _fresh(suite, given.kept))
    sys.stdout.write("All of it went well.\n")
    return 0


def _fresh(suite: str, kept: Path) -> Path:
    """Return a Debian that nothing was done in."""
    root = kept / suite
    if not (root / "etc" / "debian_version").exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        part = root.with_suffix(".part")
        subprocess.run(["rm", "-rf", str(part)], check=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(part)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        part.rename(root)
    return root


def _try(package: Path, root: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["unshare", "--mount", "sh", "-c", _OUTSIDE, "sh", folder, str(root), str(package.absolute())],
            input=_INSIDE, text=True, check=True,
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
