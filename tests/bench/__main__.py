"""Measures everything and writes the table to the docs: `python -m tests.bench`, some minutes on a quiet machine."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import arrival, finishing, growing, notice, pads, press, process_cost, under_load
from tests.bench.figures import Row

PAGE = Path(__file__).parents[2] / "docs" / "figures.md"
PARTS: dict[str, Callable[[], list[Row]]] = {
    "From the press to the wire": lambda: [press.row(), *pads.rows(), under_load.row()],
    "From done to the timeline": lambda: [arrival.row()],
    "Start and idle": process_cost.rows,
    "Finishing": finishing.rows,
    "As the journal grows": growing.rows,
    "Noticing that a job is done (simulated: the real function, a clock of its own)": notice.rows,
}
HEAD = """# Figures

Made by `python -m tests.bench`, which measures the daemon as it runs for people, in processes of its own, with every
commit on the disk. Run it again on your machine: it writes this page anew. Other tables: `python -m tests.bench.pads`
(MIDI), `.folders`, `.inbox`, `.clock`, `.live`, `.page`, `.reaper_watcher`. `python -m tests.bench.press --profile` tells where
a press spends its time.

Where the time goes that is missing on the machine of the table:

* Press → wire, 7 ms: the transaction that admits 2.4 ms and the one that says "submitting" 1.8 ms (two flushes to the
  medium are 1.4 ms of both), the connection and its POST 1.1 ms, reading and checking the request 0.9 ms, changes
  between the loop and the journal's thread 0.8 ms. The two commits are the promise; both stay.
* Done → announced, 75 ms: the proof that the download is whole 15 ms, the take 27 ms and its way to the medium 9 ms,
  the flush of the original 5 ms, six commits 9 ms. The audio is decoded twice on purpose: once to prove it before the
  URL is let go, once to write it.
* Finishing: ours decodes twice for the same reason, limits overshoots (a third pass where it resamples a loud take),
  hashes and flushes; ffmpeg and sox do none of that.

"""


def main() -> None:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [f"{system}, {time.strftime('%Y-%m-%d')}, load before the run {load:.1f}."]
    for title, measure in PARTS.items():
        sys.stderr.write(f"{title} ...\n")
        lines += ["", f"## {title}", "", "| what | figure | target | met |", "|---|---|---|---|"]
        lines += [f"| {row.what} | {row.figure} | {row.target} | {row.verdict} |" for row in measure()]
    text = HEAD + "\n".join(lines) + "\n"
    sys.stdout.write(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
