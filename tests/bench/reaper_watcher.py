"""What the watcher of the REAPER scripts costs in each turn of REAPER's loop.

Run: ``python -m tests.bench.reaper_watcher [OPEN JOBS]``. It runs the real scripts in Lua 5.4 and 5.3 on the fake
REAPER, with so many placeholders in one project of 500 other items, a bridge that writes four statuses a second, and
files on a real disk. The fake and its checks are part of the time; the functions of a real REAPER are C.

A turn in which the watcher looks (four a second) is told apart from one in which it only asks what time it is.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from tests.reaper.conftest import install
from tests.reaper.flows import answer, song
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn

TURNS = 3000  # 100 s of REAPER
MEASURE = """
local told = {}
for turn = 1, 30 do
  local looks = fake.calls.GetProjectStateChangeCount
  local before = os.clock()
  fake.tick()
  local cost = os.clock() - before
  told[turn] = {cost * 1000, fake.calls.GetProjectStateChangeCount > looks}
end
return told
"""


def measure(lua: str, jobs: int) -> list[tuple[float, bool]]:
    """Return what each turn cost, ms, and whether the watcher looked in it."""
    folder = Path(tempfile.mkdtemp(prefix="bench-reaper-"))
    try:
        home = folder / "home"
        home.mkdir()
        install(folder / "resources", home)
        bridge, reaper = StandIn(home), Reaper(lua, folder / "resources")
        song(reaper, folder / "song")
        reaper.do("for index = 1, 500 do fake.new_audio_item(guitar, 100 + index, 1) end song.time_selection = {0, 0}")
        for _ in range(jobs):
            bridge.beat()
            answer(reaper, Prompt="rain on a tin roof", Track="same", Variations="1")
            reaper.press("Generate at cursor or time selection")
            reaper.tick(2)
        requests = bridge.requests()
        for request in requests:
            bridge.status(request, "generating", fraction=0.1)
        reaper.seconds(30)
        told: list[tuple[float, bool]] = []
        for second in range(TURNS // 30):
            bridge.beat()
            for number in range(4):
                bridge.status(requests[(second * 4 + number) % jobs], "generating", fraction=second / 101)
            told += [(cost, looked) for cost, looked in reaper.do(MEASURE)]
        return told
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Print the table."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    say = sys.stdout.write
    say(f"{jobs} open jobs, ms for each turn\n")
    say(f"{'':12}{'turns':>8}{'median':>9}{'95 %':>9}{'most':>9}\n")
    for lua in ("lupa.lua54", "lupa.lua53"):
        told = measure(lua, jobs)
        for name, costs in (
            ("all", [cost for cost, _ in told]),
            ("it looks", [cost for cost, looked in told if looked]),
        ):
            costs.sort()
            row = (statistics.median(costs), costs[int(len(costs) * 0.95)], costs[-1])
            say(f"{lua[-5:]:6}{name:9}{len(costs):5}" + "".join(f"{value:9.3f}" for value in row) + "\n")


if __name__ == "__main__":
    main()
