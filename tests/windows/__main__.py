"""Windows, by wine: `python -m tests.windows smoke`, `test [pytest options]`, `run PROGRAM …`, `setup SETUP.EXE`."""

from __future__ import annotations

import sys
from argparse import REMAINDER, ArgumentParser
from pathlib import Path

from tests.windows.installer import check_setup
from tests.windows.machine import Machine
from tests.windows.smoke import smoke
from tests.windows.wine import FOLDER, Wine, missing_programs
from tools.windows_python import PYTHONS


def main() -> int:
    parser = ArgumentParser(prog="python -m tests.windows", description=__doc__)
    parser.add_argument("what", choices=["make", "test", "smoke", "run", "setup"])
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
        if given.what == "test":
            return _test(machine, given.rest)
    return 0


#: s; wine needs several times as long as Windows for files and processes, and the machine may do other things.
_LONGEST_TEST = "600"
#: Left out unless it is named, for what they watch is the same on every system; see docs/windows.md.
LEFT_OUT = {
    "tests/reaper": "a Lua without REAPER's own way to open files, which takes names in UTF-8 on every system",
    "tests/live": "the scripts run in Node",
    "tests/page": "the page runs in Chromium",
    "tests/studio": "PostgreSQL of Debian",
    "tests/ardour": "Ardour of Debian",
    "tests/stories": "hours, drawn anew",
    "tests/fakes": "watches the service of the tests",
    "tests/engine/sketch": "arithmetic of sounds",
    "tests/fit": "arithmetic of sounds",
    "tests/test_docs.py": "texts of the checkout",
    "tests/test_messages.py": "texts of the checkout",
    "tests/test_threat_model.py": "texts of the checkout",
    "tests/test_readme.py": "texts of the checkout",
    "tests/test_contributing.py": "texts of the checkout",
    "tests/test_house.py": "texts of the checkout",
    "tests/test_mutants.py": "texts of the checkout",
}


def _test(machine: Machine, options: list[str]) -> int:
    left_out = [path for path in LEFT_OUT if not any(option.startswith(path) for option in options)]
    options = [*options, *(f"--ignore={path}" for path in left_out)]
    return machine.wine.run(
        machine.program("python"), "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", "-m", "not thorough",
        "--timeout", _LONGEST_TEST, *options,
        cwd=machine.checkout, show=True,
    )[0]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
