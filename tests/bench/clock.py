"""How steady the tempo of a jittering MIDI clock is, how fast a new one is followed, and what that costs.

python -m tests.bench.clock
"""

# ruff: noqa: T201 - a command that prints tables

from __future__ import annotations

import json
import random
import time
from pathlib import Path

from bridge_daemon.clock.ticks import PER_QUARTER, WINDOW, Ticks

JITTER = 1e-3  # s
SEEDS = 12
SECONDS = 60.0
RECORDED = Path(__file__).parents[1] / "recorded"


def steady(tempo: float, seed: int) -> tuple[float, int, float]:
    """Return the largest error in BPM once settled, ticks miscounted, and the share of a core in percent."""
    jitter, ticks, song, sent, worst, busy = random.Random(seed), Ticks(), -1, 0, 0.0, 0.0
    period = 60 / PER_QUARTER / tempo
    while sent * period < SECONDS:
        at = 1000 + sent * period + jitter.uniform(-JITTER, JITTER)
        began = time.process_time()
        song += ticks.add(at)
        busy += time.process_time() - began
        if sent * period > WINDOW and ticks.tempo is not None:
            worst = max(worst, abs(ticks.tempo - tempo))
        sent += 1
    return worst, song + 1 - sent, busy / SECONDS * 100


def followed(one: float, two: float, seed: int) -> tuple[float, int]:
    """Return after how many seconds a new tempo is known to 0.1 BPM for good, and ticks miscounted."""
    jitter, ticks, song, sent, at, last = random.Random(seed), Ticks(), -1, -1, 1000.0, 1008.0
    for tempo, end in ((one, 1008.0), (two, 1016.0)):
        while at < end:
            at += 60 / PER_QUARTER / tempo
            sent += 1
            song += ticks.add(at + jitter.uniform(-JITTER, JITTER))
            if end == 1016.0 and abs((ticks.tempo or 0) - two) > 0.1:
                last = at
    return last - 1008.0, song - sent


def recorded(file: Path, tempo: float) -> float:
    """Return the largest error in BPM of a recorded clock once settled."""
    ticks, worst = Ticks(), 0.0
    messages = json.loads(file.read_text("utf-8"))
    for at, message in messages:
        if message == "f8":
            ticks.add(at)
            if at - messages[0][0] > WINDOW and ticks.tempo is not None:
                worst = max(worst, abs(ticks.tempo - tempo))
    return worst


def main() -> None:
    """Print the tables."""
    print(f"jitter ±{JITTER * 1e3:g} ms, {SEEDS} seeds of {SECONDS:g} s, from {WINDOW:g} s on")
    print(f"{'BPM':>8} {'worst error, BPM':>18} {'miscounted':>11} {'% of a core':>12}")
    for tempo in (40.0, 60.0, 87.5, 120.0, 174.0, 240.0):
        runs = [steady(tempo, seed) for seed in range(SEEDS)]
        errors, counts, shares = zip(*runs, strict=True)
        print(f"{tempo:8g} {max(errors):18.3f} {max(map(abs, counts)):11d} {min(shares):12.2f}")
    print(f"\n{'from, to BPM':>16} {'known to 0.1 after, s':>22} {'miscounted':>11}")
    for one, two in ((120, 120.5), (120, 121), (120, 130), (120, 90), (60, 120), (120, 60), (100, 150), (40, 240)):
        changes = [followed(one, two, seed) for seed in range(SEEDS)]
        print(f"{one:8g} {two:7g} {max(c[0] for c in changes):22.2f} {max(abs(c[1]) for c in changes):11d}")
    print()
    for name, tempo in (("hardour-120.json", 120.0), ("hardour-87.5.json", 87.5)):
        print(f"{name}: worst error {recorded(RECORDED / name, tempo):.3f} BPM")


if __name__ == "__main__":
    main()
