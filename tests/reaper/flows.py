"""What a person does in the tests: a song, a press, an answer to the form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.reaper.reaper import Reaper, to_lua
from tests.reaper.standin import StandIn

#: A saved song with a guitar that is selected, and a time selection on it.
SONG = """
song = fake.new_project("")
fake.save(song, "{path}")
guitar = fake.new_track(song, "Guitar é")
guitar.selected = true
riff = fake.new_audio_item(guitar, 10.0, 20.0)
song.time_selection = {{12.25, 20.25}}
fake.undo_point(song, "made")
fake.save(song)
"""
ITEM = "fake.all_items(song)[2]"


def song(reaper: Reaper, folder: Path) -> Path:
    """Make the song, saved, as ``song``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "Söng.rpp"
    reaper.do(SONG.format(path=path))
    return path


def answer(reaper: Reaper, **fields: str) -> None:
    """Say what a person will type into the form, by the beginning of each field's label."""
    given = ", ".join(f'["{key}"] = {to_lua(value)}' for key, value in fields.items())
    reaper.do(f"fake.answers[#fake.answers + 1] = {{{given}}}")


def transform(reaper: Reaper, bridge: StandIn, **fields: str) -> dict[str, Any]:
    """Transform the selection, and return the request that was sent."""
    answer(reaper, **({"Prompt": "strings, (slow)"} | fields))
    reaper.press("Transform selection")
    reaper.seconds(3)
    return bridge.request()


def cancel_form(reaper: Reaper) -> None:
    """Say that a person will close the form."""
    reaper.do('fake.answers[#fake.answers + 1] = "cancel"')


def saved(reaper: Reaper) -> None:
    reaper.do("fake.save(song)")


def takes(reaper: Reaper, item: str = ITEM) -> int:
    return int(reaper.get(f"#{item}.takes"))


def notes(reaper: Reaper, item: str = ITEM) -> str:
    return str(reaper.get(f"{item}.texts.P_NOTES"))


def render_settings(reaper: Reaper) -> Any:
    """Return all settings of the renderer, and the switches of effects."""
    return reaper.do("""
        local told = {}
        for key, value in pairs(song.numbers) do told[#told + 1] = key .. " " .. string.format("%.9g", value) end
        for key, value in pairs(song.texts) do told[#told + 1] = key .. " " .. value end
        for _, track in ipairs(song.tracks) do
          told[#told + 1] = track.guid .. " " .. string.format("%g solo %g", track.info.I_FXEN, track.info.I_SOLO)
        end
        told[#told + 1] = "master " .. string.format("%g", song.master.info.I_FXEN)
        table.sort(told)
        return told
    """)
