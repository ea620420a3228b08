"""Ardour in the loop: what it exports is transformed, and the take stands in its session at the same sample."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.ardour.conftest import GENERATE, NEEDS, PLACE, TRANSFORM, put_sound, with_hook
from tests.ardour.daw import RATE, TIMER, Ardour
from tests.ardour.hearing import heard_at, read, time_stamp
from tests.e2e.processes import Bridge
from tests.waiting import at_last

pytestmark = [*NEEDS, pytest.mark.timeout(300)]

AT = 123_457  # no round number, on no grid
EARLIER = 20_011
LATER = 456_789
OK, CLOSE, NO = "alt+o", "alt+c", "alt+n"

FOLDER = """
[presets.strings]
action = "transform"
prompt = "strings"

[[folders]]
name = "renders"
path = "{path}"
preset = "strings"
spend = true
"""

MUTE = """for route in Session:get_routes():iter() do
  if route:name() == "drums" then
    route:mute_control():set_value(1.0, PBD.GroupControlDisposition.NoGroup)
  end
end"""

SELECT = """local list = ArdourUI.SelectionList()
for region in Session:route_by_name("drums"):to_track():playlist():region_list():iter() do
  list:push_back(Editor:regionview_from_region(region))
end
Editor:set_selection(list, ArdourUI.SelectionOp.Set)"""

#: A range that can be selected.
LOOP = f'Editor:set_loop_range(Temporal.timepos_t({AT + 1000}), Temporal.timepos_t({AT + 1000 + RATE}), "loop")'

#: Saves, and dies in the same breath: between the save and the word to the bridge.
SAVE_AND_DIE = """Session:save_state("", false, false, false, false, false)
os.execute("kill -9 " .. io.open("/proc/self/stat"):read("n"))"""


def beep(folder: Path) -> Path:
    """Return a sound that is no part of a take."""
    path = folder / "beep.wav"
    subprocess.run(["sox", "-n", "-r", str(RATE), "-b", "24", str(path), "synth", "0.2", "sine", "1000"], check=True)
    return path


def positions(ardour: Ardour, job: str) -> list[int]:
    """Return where the take of a job stands in the session file."""
    return [region.position for region in ardour.regions() if job in region.sources[0]]


def arrived(daemon: Bridge, count: int = 1) -> list[dict[str, Any]]:
    """Return the jobs, once there are so many and all of their takes have come."""

    def look() -> list[dict[str, Any]]:
        jobs = daemon.jobs()
        return jobs if len(jobs) == count and all(job["state"] in ("stored", "placed") for job in jobs) else []

    return at_last(look, f"{count} takes", seconds=60)


def in_state(daemon: Bridge, job: str, state: str) -> bool:
    return bool(at_last(lambda: daemon.job(job)["state"] == state, f"the job {job} {state}", seconds=30))


def stands(ardour: Ardour, job: str) -> bool:
    """Wait until a take stands in the session that is open, saved or not."""
    look = f"""for route in Session:get_tracks():iter() do
      for region in route:to_track():playlist():region_list():iter() do
        if region:source(0):name():find("{job}", 1, true) then return "yes" end
      end
    end"""
    return at_last(lambda: ardour.lua(look) == "yes", f"the take of {job} in Ardour", seconds=40)


def test_what_ardour_exports_comes_back_at_the_same_sample(
    ardour: Ardour, daemon: Bridge, home: Path, sound: Path, tmp_path: Path
) -> None:
    """By way of a watched folder and the time stamp alone; then by the actions, without the hook, pressed twice."""
    renders = tmp_path / "renders"
    renders.mkdir()
    (home / "config.toml").write_text(FOLDER.format(path=renders), encoding="utf-8")
    daemon.start()
    ardour.start()
    put_sound(ardour, sound, AT)
    render = ardour.export(renders / "drums.wav")
    assert time_stamp(render) == AT  # by Ardour's own writer

    (job,) = arrived(daemon)
    (take,) = at_last(lambda: list((tmp_path / "renders takes").glob("*.wav")), "the take in the results", seconds=20)
    put_sound(ardour, take, None)
    ardour.save()
    stem = take.stem
    assert [one.position for one in ardour.regions() if one.sources[0].startswith(stem)] == [AT]

    ardour.lua(SELECT)
    ardour.press(TRANSFORM)
    ardour.answer("DAW Bridge: transform", "organ", OK)
    jobs = arrived(daemon, 2)
    made = next(one for one in jobs if one["job"] != job["job"])
    assert (made["place"]["position"] * RATE, made["place"]["sample_rate"]) == (AT, RATE)
    source = Path(made["source"]["path"])
    assert time_stamp(source) == AT
    assert heard_at(sound, source) == 0
    ardour.press(TRANSFORM)  # the same press once more
    ardour.answer("DAW Bridge: transform", "", OK)
    ardour.answer("^DAW Bridge$", "", NO)  # "This is the same press ..."
    assert len(daemon.jobs()) == 2

    beat = home / "outbox" / "ardour" / "daemon.json"  # every two seconds: until then it names no result
    at_last(lambda: json.loads(beat.read_text(encoding="utf-8"))["results"], "the result in the heartbeat", seconds=30)
    ardour.press(PLACE)
    ardour.press(PLACE)
    ardour.answer("^DAW Bridge$", "", CLOSE)
    ardour.answer("^DAW Bridge$", "", CLOSE)
    assert in_state(daemon, made["job"], "placed")
    assert positions(ardour, made["job"]) == [AT]

    ardour.lua(LOOP)
    ardour.osc("/access_action", "Editor/select-loop-range")
    ardour.press(TRANSFORM)
    ardour.answer("DAW Bridge: transform", "", OK)
    piece = next(one for one in arrived(daemon, 3) if one["job"] not in (job["job"], made["job"]))
    source = Path(piece["source"]["path"])
    assert (time_stamp(source), len(read(source)), heard_at(sound, source)) == (AT + 1000, RATE, 1000)

    ardour.lua(MUTE)
    put_sound(ardour, beep(tmp_path), EARLIER)  # so that the mix begins before them
    mix = ardour.export(tmp_path / "mix.wav")
    assert time_stamp(mix) == EARLIER
    for heard in (take, Path(made["file"])):
        assert abs(EARLIER + heard_at(mix, heard) - AT) <= 1


def test_a_take_goes_on_where_its_source_ends(ardour: Ardour, daemon: Bridge, tmp_path: Path) -> None:
    """What is before the moment that goes on there is hidden, but for a fade; the file has all of it."""
    song = tmp_path / "song.wav"
    command = ["sox", "-n", "-r", str(RATE), "-b", "24", "-c", "2", str(song), "synth", "12", "pinknoise", "gain", "-9"]
    subprocess.run(command, check=True)
    daemon.start()
    ardour.start()
    place = {"position": AT / RATE, "length": 12.0, "sample_rate": RATE}
    asked = {"action": "transform", "source": {"path": str(song)}, "continue_from": 8.0, "duration": 8.0}
    (job,) = daemon.press(client="ardour", place=place, **asked)["jobs"]
    daemon.until(job, "stored")
    told = at_last(lambda: daemon.job(job)["grid"], "the grid of the take", seconds=60)
    enter, fade = (round(told[key] * RATE) for key in ("enter", "crossfade"))
    assert 0 < fade <= enter
    results = daemon.home / "outbox" / "ardour"
    at_last(
        lambda: '"enter"' in "".join(one.read_text("utf-8") for one in results.glob("*.json")), "the result", seconds=30
    )
    at_last(
        lambda: json.loads((results / "daemon.json").read_text("utf-8"))["results"], "it in the heartbeat", seconds=30
    )
    ardour.press(PLACE)
    ardour.answer("^DAW Bridge$", "", "alt+y")  # it was asked for elsewhere
    ardour.answer("^DAW Bridge$", "", CLOSE)
    assert in_state(daemon, job, "placed")
    (region,) = [one for one in ardour.regions() if job in one.sources[0]]
    end = round(AT + 12 * RATE)
    assert (region.position, region.start, region.length) == (end - fade, enter - fade, 8 * RATE + fade)


def test_a_take_stands_exactly_once_whoever_dies(ardour: Ardour, daemon: Bridge) -> None:
    """The hook places it; Ardour dies before it is saved, and before the bridge is told; the bridge dies, too."""
    with_hook(ardour)
    daemon.start()
    ardour.start()
    assert ardour.lua("return LuaSignal.LuaTimerS") == str(TIMER)
    ardour.osc("/locate", LATER, 0)
    at_last(lambda: ardour.lua("return Session:transport_sample()") == str(LATER), "the playhead", seconds=10)
    ardour.press(GENERATE)
    ardour.answer("DAW Bridge: generate", "rain", OK)
    daemon.kill()  # the request lies in the inbox, or was taken, or is being answered
    daemon.start()
    (job,) = arrived(daemon)
    assert stands(ardour, job["job"])
    assert daemon.job(job["job"])["state"] == "stored"  # nothing is confirmed that is not saved
    ardour.kill()

    ardour.start()
    assert positions(ardour, job["job"]) == []
    assert stands(ardour, job["job"])
    daemon.kill()  # nobody takes the word
    ardour.send(SAVE_AND_DIE)
    ardour.kill()
    assert positions(ardour, job["job"]) == [LATER]

    daemon.start()
    ardour.start()
    assert in_state(daemon, job["job"], "placed")
    ardour.save()
    assert positions(ardour, job["job"]) == [LATER]
    assert len(daemon.jobs()) == 1
    ardour.quit()
