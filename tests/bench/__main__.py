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
commit on the disk. Run it again on your machine: it writes this page anew. Each figure stands beside its peer or a
limit of the machine that was measured in the same run, as a ratio. Other tables: `python -m tests.bench.folders`,
`.inbox`, `.clock`, `.live`, `.page`, `.reaper_watcher`. `python -m tests.bench.press --profile` tells where a press
spends its time.

Where the time goes:

* Start. Nearly all of it is loading 560 modules. Processor time: Python itself 6 %, SQLAlchemy 26 %,
  pydantic 12 %, 200 modules of ours 30 % (a third of that makes their dataclasses, some 0.4 ms each), Python's library
  and all else the rest. aiohttp, numpy, the decoders and the library of the commands are loaded with the
  first connection, the first job or the first command; the checks of the settings are built once, as a whole, and no
  plugins of pydantic are looked for. What would be left to save is SQLAlchemy and 20 MB: statements compiled when the
  package is built, and run without it.
* Press → wire. One transaction admits the request and writes that its first job is being sent. Two flushes are left:
  of the journal, and of the record of what is sent, which must not lie in the same file; flushing both at once is no
  way, for the record names the event of the journal that it stands for. The disk is looked at meanwhile, no more
  before. Where the median goes, ms: the datagram 0.3, to the admission 0.3, its checks 0.5, to the thread of the
  journal and back 0.5, the transaction 2.8 (to begin 0.2, eleven statements and what is written in them 1.4, commit
  0.8, record 0.4), a connection of its own and the POST 1.0. The statements took 2.2 before they were made ready once.
  Nothing waits for anything any more but for the two flushes: less is a matter of less Python, most of all in the
  statements (some 0.1 each) and in aiohttp.
* Done → announced. The original is decoded once: what proves it writes the take, while another thread flushes and
  hashes the original. Two commits are left: that there is something to download, and that original and take lie
  there and are due. The take is hashed once, when it is flushed. What is left, ms, traced on a busy machine: the
  first commit 4, to the download 2, opening the decoder 4, decoding and writing 23 (decoder, writer and the hash of
  the original share two cores), flushing and hashing the take 10, names, commit and announcement 9. What would save
  most is to hash the original as it comes, and to decode during the download: the look at the structure that comes
  before every decoder needs the whole file.
* Finishing, processor time of the parts at 190 s: decoding the MP3 by libsndfile 0.46 s, resampling (soxr VHQ, 64
  bit) 0.30 s to 48 kHz and 0.56 s to 96 kHz, writing 0.10 s; ffmpeg takes 0.36, 0.75 and 1.01 s in all. A second pass
  is made only of what would clip. At 44.1 kHz nothing is resampled, so decoding is nearly all of it, and the ratio is
  that of libsndfile to ffmpeg: 1.0 to 1.3 in several runs.
* Notice. Eight jobs that start together have 32 polls in their minute (50, less 8 submits and 10 that are kept for
  presses). Where the time of a job follows its length and steps, they are spent when it can be done, once four like
  it are known; where it follows nothing (8 to 60 s by chance), 32 polls that are spread evenly would leave 3.3 s.
* Idle with a controller: RtMidi has no wait for the next message, and its callback would run Python in the real-time
  thread of JACK, and deadlocks where its port is closed while messages come. So inputs are polled: each millisecond
  while somebody plays, and each 20 ms, which is what the figure tells, once nobody has for 30 s. The first press after
  a rest goes out later by as much; its stamp is the driver's, and as exact. A poll costs 0.04 ms, nearly all of it the
  waking of a thread; a look for new ports, twice a second, 0.6 ms. Besides, JACK wakes the two clients that RtMidi
  makes, for what comes in and for the lights, with every period: 0.01 ms each:
  at 64 frames that alone is more than 0.7 %. ALSA does not.

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
