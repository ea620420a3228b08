"""Windows, by wine: `python -m tests.windows smoke | test [options of pytest] | test-all … | run … | setup EXE`."""

from __future__ import annotations

import sys
from argparse import REMAINDER, ArgumentParser
from pathlib import Path

from tests.windows.division import ALIKE, NOT_OF_WINDOWS
from tests.windows.installer import check_setup
from tests.windows.machine import Machine
from tests.windows.smoke import smoke
from tests.windows.wine import FOLDER, Wine, missing_programs
from tools.windows_python import PYTHONS


def main() -> int:
    parser = ArgumentParser(prog="python -m tests.windows", description=__doc__)
    parser.add_argument("what", choices=["make", "test", "test-all", "smoke", "run", "setup"])
    parser.add_argument("--python", choices=list(PYTHONS), default="3.11")
    parser.add_argument("--keep", action="store_true", help="leave what is installed as it is")
    parser.add_argument("rest", nargs=REMAINDER)
    given = parser.parse_args()
    if missing := missing_programs():
        sys.stdout.write(f"Windows is not tested: {', '.join(missing)} not found (packages wine, gcc-mingw-w64).\n")
        return 0
    if given.what == "smoke":
        return smoke(given.python)
    if given.what == "setup":
        return check_setup(Path(given.rest[0]).absolute(), given.python)
    machine = Machine(Wine(FOLDER / "prefix"), given.python)
    with machine.wine.on():
        if not given.keep:
            machine.prepare()
        if given.what == "run":
            program, *words = given.rest
            return machine.wine.run(machine.program(program), *words, cwd=machine.checkout, show=True)[0]
        if given.what in ("test", "test-all"):
            return _test(machine, given.rest, everything=given.what == "test-all")
    return 0


#: s; wine needs several times as long as Windows for files and processes, and the machine may do other things.
_LONGEST_TEST = "600"


def _test(machine: Machine, options: list[str], *, everything: bool) -> int:
    left_out = [*NOT_OF_WINDOWS, *(() if everything else ALIKE)]
    ignored = [path for path in left_out if not any(option.startswith(path) for option in options)]
    return machine.wine.run(
        machine.program("python"), "-m", "pytest", "-p", "no:cacheprovider", "-m", "not thorough",
        "--timeout", _LONGEST_TEST, *options, *(f"--ignore={path}" for path in ignored),
        cwd=machine.checkout, show=True,
    )[0]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
