"""Run the mutants and print a table: `python -m tools.mutants [WORD ...]`; it ends with 1 if one survives."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tools.mutants.chosen import EQUIVALENT, chosen
from tools.mutants.rules import Mutant
from tools.mutants.run import Verdict, verdicts


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run those that are asked for; return 0 if all were killed, 1 if one survived, 2 if the tests were red before."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("words", nargs="*", help="only mutants whose name holds one of these")
    parser.add_argument("--list", action="store_true", help="name them and run none")
    parser.add_argument("--sample", type=int, metavar="N", help="only N of them, drawn by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a mutant first")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS")
    given = parser.parse_args(arguments)
    picked = [one for one in chosen() if not given.words or any(word in one.name for word in given.words)]
    if given.sample is not None:
        picked = random.Random(given.seed).sample(picked, min(given.sample, len(picked)))
    if given.list:
        _say("\n".join(one.name for one in picked))
        return 0
    first = [] if given.trust else _unbroken(picked)
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else its tests would go on
    with tempfile.TemporaryDirectory(prefix="mutants ") as folder:
        found = []
        for verdict in verdicts(first + picked, Path(folder), workers=given.workers, timeout=given.timeout):
            found.append(verdict)
            _say(_row(verdict))
            if verdict.mutant.changes_nothing and (verdict.killer or verdict.late):
                _say("The tests are red without any mutant.")
                return 2
    return _summary([one for one in found if not one.mutant.changes_nothing], time.monotonic() - begun)


def _unbroken(picked: Sequence[Mutant]) -> list[Mutant]:
    """Return a mutant that is none for each set of tests: what is red without a change would kill everything."""
    first = {one.tests: one for one in reversed(picked)}
    root = Path(__file__).parents[2]
    return [Mutant("", one.path, (root / one.path).read_text(encoding="utf-8"), tests) for tests, one in first.items()]


def _row(verdict: Verdict) -> str:
    late = " (its tests take too long)" if verdict.late else ""
    if verdict.mutant.changes_nothing:
        name, word = f"without a mutant: {' '.join(verdict.mutant.tests)}", verdict.killer or f"green{late}"
    else:
        name, word = verdict.mutant.name, verdict.killer or f"SURVIVES{late}"
    return f"{verdict.seconds:6.1f} s  {name}\n          {word}"


def _summary(found: Sequence[Verdict], seconds: float) -> int:
    alive = [one for one in found if one.survived]
    _say(f"\n{len(found)} mutants, {len(found) - len(alive)} killed, {len(alive)} survive; {seconds:.0f} s.")
    _say(f"{len(EQUIVALENT)} more change nothing that a test could see; tools/mutants/chosen.py says why of each.")
    for one in alive:
        _say(f"  {one.mutant.name}")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
