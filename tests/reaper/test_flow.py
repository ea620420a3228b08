"""From the press to the take: the real scripts, the fake REAPER, and files that a test writes for the bridge."""

from __future__ import annotations

from pathlib import Path

from tests.reaper.flows import ITEM, song, transform
from tests.reaper.reaper import Reaper
from tests.reaper.standin import StandIn


def test_a_selection_becomes_a_take(reaper: Reaper, bridge: StandIn, tmp_path: Path) -> None:
    song(reaper, tmp_path / "song")
    sent = transform(reaper, bridge, Strength="0.7", Seed="42")

    assert sent["action"] == "transform"
    assert sent["prompt"] == "strings, (slow)"
    assert (sent["strength"], sent["seed"]) == (0.7, 42)
    assert "variations" not in sent, "nobody typed a number: the preset or the bridge has it"
    place = sent["place"]
    assert (place["position"], place["length"]) == (12.25, 8.0)
    assert (place["tempo"], place["time_signature"], place["beats"], place["sample_rate"]) == (120, "4/4", 24.5, 48000)
    assert (place["project"], place["target"]) == ("Söng.rpp", "arrangement")
    assert Path(sent["source"]["path"]).stat().st_size == 44 + 8 * 48_000 * 6
    assert "confirm_usd" not in sent

    assert reaper.get(f"{{{ITEM}.info.D_POSITION, {ITEM}.info.D_LENGTH, #{ITEM}.takes}}") == [12.25, 8.0, 0]
    (job,) = bridge.status(sent, "generating")
    reaper.seconds(2)
    assert reaper.get(f"{ITEM}.texts.P_NOTES").startswith("DAW Bridge: generating 40 %")

    file = bridge.result(sent, job)
    reaper.seconds(3)
    take = f"{ITEM}.takes[1]"
    copied = tmp_path / "song" / "Media" / file.name
    assert reaper.get(f"{take}.source.path") == str(copied)
    assert copied.read_bytes() == file.read_bytes()
    assert reaper.get(f"{{{ITEM}.info.D_POSITION, {ITEM}.info.D_LENGTH, {take}.info.D_STARTOFFS}}") == [12.25, 8.0, 0]
    assert reaper.get(f"{ITEM}.info.B_LOOPSRC") == 0
    assert reaper.get(f"{take}.texts.P_NAME") == "rain (1)"
    assert reaper.get(f"{take}.source.peaks_ready") is True
    notes = reaper.get(f"{ITEM}.texts.P_NOTES")
    assert "strings, (slow)" in notes
    assert "seed 7" in notes
    assert "strength 0.7" in notes
    assert bridge.words() == [f"{job}.1.placed.json"]
    bridge.forget(job)
    bridge.status(sent, "placed")
    assert reaper.get("song.history[song.at].title") == "DAW Bridge: take placed"

    reaper.do("fake.save(song)")
    bridge.beat()
    reaper.seconds(10)
    assert reaper.get("#fake.scripts") == 0, "the watcher ends when nothing is open"
    assert reaper.get("#fake.modals") == 1, "the form, and nothing else"
    reaper.check()
