"""The built devices: the container byte by byte, the patcher, the panel and the parameters."""

from __future__ import annotations

import csv
import json
import re
import struct
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from calmjs.parse import es5
from calmjs.parse.exceptions import ECMASyntaxError

from max_for_live import amxd, build, check, drawing, panel
from tests.live.player import AUDIO, BUILT, MIDI

HERE = Path(__file__).parent
#: The 169 px of Live's device view, and the margin that is the same left and right.
HEIGHT, MARGIN = 169, 8
LETTERS = {AUDIO: b"aaaa", MIDI: b"mmmm"}
TYPES = {AUDIO: 1633771873, MIDI: 1835887981}  # the letters as the patcher's project writes them
#: What real patches have where the list of objects does not say.
UNLISTED = {"udpsend": (1, 0)}
#: Names of theme colours that real devices use. Another name would be passed over silently.
THEME = {
    "live_control_text_bg",
    "live_control_fg",
    "live_surface_bg",
    "live_lcd_bg",
    "live_lcd_control_fg",
    "live_control_selection",
}
devices = pytest.mark.parametrize("file", [AUDIO, MIDI], ids=["audio", "midi"])
#: Also the device that checks a real Live.
built = pytest.mark.parametrize("file", [AUDIO, MIDI, BUILT / check.KIND.name], ids=["audio", "midi", "check"])

FLOAT, INT, ENUM, BLOB = 0, 1, 2, 3
AUTOMATED, STORED, HIDDEN = 0, 1, 2


@cache
def patcher(file: Path) -> dict[str, Any]:
    return amxd.read(file.read_bytes()).patcher


@cache
def boxes(file: Path) -> dict[str, dict[str, Any]]:
    return {entry["box"]["id"]: entry["box"] for entry in patcher(file)["boxes"]}


def parameters(file: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    found = [(box, box.get("saved_attribute_attributes", {}).get("valueof")) for box in boxes(file).values()]
    return [(box, valueof) for box, valueof in found if valueof]


def kind(box: dict[str, Any]) -> str:
    return box["text"].split()[0] if box["maxclass"] == "newobj" else box["maxclass"]


@cache
def known() -> dict[str, tuple[int, int]]:
    with (HERE / "data" / "max_objects.tsv").open(encoding="utf-8") as lines:
        return {
            row["object"]: (int(row["inlets"]), int(row["outlets"])) for row in csv.DictReader(lines, delimiter="\t")
        }


# The container


@pytest.mark.parametrize("made", build.device.KINDS, ids=lambda made: made.letters)
def test_a_build_gives_the_committed_bytes(made: Any) -> None:
    assert build.build(made) == (BUILT / made.name).read_bytes(), "run: python -m max_for_live.build"
    assert build.build(made) == build.build(made)


def test_the_build_says_what_is_out_of_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "BUILT", tmp_path / "built")
    assert build.main(["--check"]) == 1
    assert not (tmp_path / "built").exists()
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0


@devices
def test_the_header_is_that_of_a_frozen_device(file: Path) -> None:
    data = file.read_bytes()
    assert data[:24] == b"ampf\x04\0\0\0" + LETTERS[file] + b"meta\x04\0\0\0\x07\0\0\0"
    assert data[24:28] == b"ptch"
    assert 32 + struct.unpack_from("<I", data, 28)[0] == len(data)


@devices
def test_the_directory_ends_the_file_and_lists_what_is_inside(file: Path) -> None:
    body = file.read_bytes()[32:]
    assert body[:8] == b"mx@c\0\0\0\x10"
    footer = struct.unpack_from(">Q", body, 8)[0]
    assert body[footer : footer + 4] == b"dlst"
    assert struct.unpack_from(">I", body, footer + 4)[0] == len(body) - footer
    fields = re.findall(rb"fnam....([^\0]+)\0", body[footer:], re.S)
    assert fields == [file.name.encode(), b"DawBridge.js"]
    first = body[footer + 8 : footer + 40]
    assert first[8:24] == b"type\0\0\0\x0cJSONfnam"
    # the device itself is first, at offset 16, with flag 0x11; the script has flag 0
    flags = [body[footer + m.end() : footer + m.end() + 4] for m in re.finditer(rb"flag\0\0\0\x0c", body[footer:])]
    assert flags == [b"\0\0\0\x11", b"\0\0\0\0"]


@devices
def test_every_truncation_is_noticed(file: Path) -> None:
    data = file.read_bytes()
    for end in (0, 7, 23, 31, 40, len(data) // 2, len(data) - 1):
        with pytest.raises((amxd.Malformed, struct.error)):
            if amxd.read(data[:end]):
                raise AssertionError(end)


@devices
def test_the_script_is_inside_and_named(file: Path) -> None:
    device = amxd.read(file.read_bytes())
    assert [(entry.name, entry.kind, entry.flag) for entry in device.files] == [("DawBridge.js", "TEXT", 0)]
    assert device.files[0].data.decode("utf-8") == build.script()
    assert [entry["name"] for entry in device.patcher["dependency_cache"]] == ["DawBridge.js"]
    named = [box for box in boxes(file).values() if kind(box) == "js"]
    assert [box["saved_object_attributes"]["filename"] for box in named] == ["DawBridge.js"]


@devices
def test_nothing_of_this_machine_is_inside(file: Path) -> None:
    text = file.read_bytes().decode("latin-1")
    for word in (str(Path.home()), "/tmp", "/work", "/root"):
        assert word not in text


# The patcher


@devices
def test_the_patcher_is_one_of_live(file: Path) -> None:
    found = patcher(file)
    assert found["project"]["amxdtype"] == TYPES[file]
    assert found["openinpresentation"] == 1
    assert found["openrect"][3] == HEIGHT
    assert found["openrect"][2] == found["devicewidth"]
    assert found["classnamespace"] == "box"
    assert {"fileversion", "appversion", "rect", "gridsize", "boxes", "lines", "parameters", "autosave"} <= found.keys()


@devices
def test_the_banks_of_push(file: Path) -> None:
    """As Max saves them: eight long names or "-" in each. An empty or a short one takes Live down."""
    found = patcher(file)["parameters"]["parameterbanks"]
    banks = list(found.values())
    assert [(key, bank["index"]) for key, bank in found.items()] == [(str(i), i) for i in range(len(banks))]
    assert all(set(bank) == {"index", "name", "parameters"} for bank in banks)
    assert all(bank["name"] and len(bank["parameters"]) == 8 for bank in banks)
    names = [name for bank in banks for name in bank["parameters"] if name != "-"]
    assert len(names) == len(set(names))
    told = [valueof for _, valueof in parameters(file)]
    shown = {one["parameter_longname"] for one in told if one["parameter_invisible"] == AUTOMATED}
    assert shown - set(names) == {"More"}  # it folds the panel, which Push does not show
    assert set(names) <= shown


@cache
def outlet_types() -> dict[str, list[str]]:
    with (HERE / "data" / "max_objects.tsv").open(encoding="utf-8") as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return {row["object"]: row["outlet_types"].replace("any", "*").split() for row in rows}


@built
def test_every_outlet_is_of_the_type_that_max_knows(file: Path) -> None:
    for box in boxes(file).values():
        name = kind(box)
        types = [word or "*" for word in box.get("outlettype", [])]
        if name in ("route", "js"):
            assert set(types) == {"*"}
        elif name == "sfplay~":
            assert types == ["signal"] * int(box["text"].split()[1]) + ["bang"]
        else:
            assert types == outlet_types()[name], name


@built
def test_every_object_is_known_to_max_with_its_inlets_and_outlets(file: Path) -> None:
    for box in boxes(file).values():
        name, shape = kind(box), (box["numinlets"], box["numoutlets"])
        assert name in known(), name
        words = box.get("text", "").split()[1:]
        if name == "route":
            assert shape == (len(words) + 1, len(words) + 1)
        elif name == "sfplay~":
            assert shape == (2, int(words[0]) + 1)  # a bang behind the channels
        elif name == "sfrecord~":
            assert shape == (int(words[0]), 1)
        elif name == "js":
            assert shape == (1, 3)  # the script says three outlets; the rig checks it
        else:
            assert shape == UNLISTED.get(name, known()[name]), name
        assert len(box.get("outlettype", [])) == box["numoutlets"]


@built
def test_ids_are_unique_and_cords_lead_somewhere(file: Path) -> None:
    found = boxes(file)
    assert len(found) == len(patcher(file)["boxes"])
    seen = set()
    for line in patcher(file)["lines"]:
        (source, outlet), (target, inlet) = line["patchline"]["source"], line["patchline"]["destination"]
        assert outlet < found[source]["numoutlets"]
        assert inlet < found[target]["numinlets"]
        assert (source, outlet, target, inlet) not in seen
        seen.add((source, outlet, target, inlet))


@built
def test_no_object_is_left_without_a_cord(file: Path) -> None:
    ends = {
        end[0]
        for line in patcher(file)["lines"]
        for end in (line["patchline"]["source"], line["patchline"]["destination"])
    }
    left = {kind(box) for name, box in boxes(file).items() if name not in ends}
    assert left <= {"live.comment", "panel"}


def test_sound_and_notes_pass_untouched() -> None:
    def cords(file: Path, source: str, target: str) -> set[tuple[int, int]]:
        found = boxes(file)
        lines = [line["patchline"] for line in patcher(file)["lines"]]
        return {
            (line["source"][1], line["destination"][1])
            for line in lines
            if (kind(found[line["source"][0]]), kind(found[line["destination"][0]])) == (source, target)
        }

    assert cords(AUDIO, "plugin~", "plugout~") == {(0, 0), (1, 1)}
    assert cords(MIDI, "midiin", "midiout") == {(0, 0)}


@devices
def test_nothing_prints_and_nothing_is_named_for_all_devices(file: Path) -> None:
    names = {kind(box) for box in boxes(file).values()}
    assert not names & {"print", "dac~", "adc~", "ezdac~", "delay", "send", "receive", "s", "r", "buffer~", "coll"}


# The panel


@devices
def test_the_panel_stays_inside_on_whole_pixels(file: Path) -> None:
    width = patcher(file)["openrect"][2]
    rects = {box["id"]: box["presentation_rect"] for box in boxes(file).values() if box.get("presentation")}
    for x, y, w, h in rects.values():
        assert all(edge == int(edge) for edge in (x, y, w, h))
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= HEIGHT
    drawn = [rect for name, rect in rects.items() if boxes(file)[name]["maxclass"] != "comment"]
    assert min(rect[0] for rect in drawn) == MARGIN
    assert width - max(rect[0] + rect[2] for rect in drawn) == MARGIN


@devices
def test_nothing_on_the_panel_covers_something_else(file: Path) -> None:
    """Of two pages in one place never both are shown."""
    shown = [box for box in boxes(file).values() if box.get("presentation")]
    pages = {name: page for page, names in panel.pages().items() for name in names}
    apart_by_page = {frozenset(("how", "more")), frozenset(("go", "held")), frozenset(("what", "without"))}
    for i, one in enumerate(shown):
        for other in shown[i + 1 :]:
            if frozenset(pages.get(box.get("varname", ""), "") for box in (one, other)) in apart_by_page:
                continue
            (x1, y1, w1, h1), (x2, y2, w2, h2) = one["presentation_rect"], other["presentation_rect"]
            apart = x1 + w1 <= x2 or x2 + w2 <= x1 or y1 + h1 <= y2 or y2 + h2 <= y1
            assert apart, (one.get("text"), other.get("text"), kind(one), kind(other))


@devices
def test_what_is_not_on_the_panel_has_whole_pixels_too(file: Path) -> None:
    for box in boxes(file).values():
        assert all(edge == int(edge) for edge in box["patching_rect"])


@devices
def test_colours_are_of_the_theme(file: Path) -> None:
    for box in boxes(file).values():
        for name, value in box.get("saved_attribute_attributes", {}).items():
            if name != "valueof":
                role = value["expression"].removeprefix("themecolor.")
                assert role in THEME, role


@devices
def test_what_is_folded_away_is_hidden_at_first(file: Path) -> None:
    shown = [box for box in boxes(file).values() if box.get("presentation")]
    hidden = {box["varname"] for box in shown if box.get("hidden")}
    pages = panel.pages()
    assert hidden <= {*pages["more"], *pages["held"], *pages["without"]}
    assert {"Strength", "Guidance", "Seed", "Warp", "Keep", "Discard"} <= hidden
    assert len({box["varname"] for box in shown if "varname" in box}) == len([b for b in shown if "varname" in b])


# Parameters


@devices
def test_parameters_have_names_of_their_own_and_info(file: Path) -> None:
    found = parameters(file)
    longs = [valueof["parameter_longname"] for _, valueof in found]
    assert len(set(longs)) == len(longs)
    for box, valueof in found:
        assert re.fullmatch(r"[A-Z][A-Za-z ]+", valueof["parameter_longname"])
        assert len(valueof["parameter_shortname"]) <= 13
        assert box["varname"] == valueof["parameter_longname"]
        assert valueof["parameter_annotation_name"]
        assert valueof["parameter_info"].endswith(".")
        registered = patcher(file)["parameters"][box["id"]]
        assert registered == [valueof["parameter_longname"], valueof["parameter_shortname"], 0]


@devices
def test_every_control_a_person_uses_has_an_info_text(file: Path) -> None:
    for box in boxes(file).values():
        if (box["maxclass"].startswith("live.") and box["maxclass"] != "live.comment") or box["maxclass"] in (
            "textedit",
            "umenu",
        ):
            assert box["annotation_name"]
            assert box["annotation"].endswith(".")


@devices
def test_parameters_have_right_types_and_limits(file: Path) -> None:
    for box, valueof in parameters(file):
        if valueof["parameter_type"] == INT:
            assert 0 <= valueof["parameter_mmin"] < valueof["parameter_mmax"] <= 255
        if valueof["parameter_type"] == ENUM:
            labels = valueof["parameter_enum"]
            assert valueof["parameter_mmax"] == len(labels) - 1
            assert not any(re.fullmatch(r"val\d+", label) for label in labels)
        if valueof["parameter_type"] == BLOB:
            assert valueof["parameter_invisible"] == STORED
        else:
            assert valueof["parameter_initial_enable"] == 1
            assert len(valueof["parameter_initial"]) == 1
        assert "parameter_range" not in valueof  # no key of Max
        enabled = box.get("parameter_enable", box.get("saved_object_attributes", {}).get("parameter_enable"))
        assert enabled == 1


@devices
def test_buttons_can_be_mapped_and_not_automated(file: Path) -> None:
    buttons = [(box, valueof) for box, valueof in parameters(file) if box.get("mode") == 0]
    names = {"Generate", "Transform Clip", "Again", "Cancel", "Show File", "Keep", "Favourite", "Discard"}
    names |= {"Capture", "Hear"} if file == AUDIO else set()
    assert {valueof["parameter_longname"] for _, valueof in buttons} == names
    for box, valueof in buttons:
        assert box["outputmode"] == 1  # the mouse goes up
        assert valueof["parameter_invisible"] == HIDDEN
        assert box["presentation"] == 1


@devices
def test_what_the_device_moves_by_itself_is_no_stored_parameter(file: Path) -> None:
    shown = {box["maxclass"]: box for box in boxes(file).values() if box["maxclass"] in ("comment", "multislider")}
    assert all(not box.get("parameter_enable") for box in shown.values())
    light = next(valueof for box, valueof in parameters(file) if box["maxclass"] == "live.toggle")
    assert light["parameter_invisible"] == HIDDEN


@devices
def test_what_a_person_sets_is_saved_with_the_set(file: Path) -> None:
    kept = {v["parameter_longname"] for _, v in parameters(file) if v["parameter_invisible"] in (AUTOMATED, STORED)}
    assert {
        "Prompt",
        "Preset Name",
        "Identity",
        "Seed",
        "Seed Lock",
        "Strength",
        "Guidance",
        "Takes",
        "Length Bars",
    } <= kept


# The script


def test_the_script_is_es5() -> None:
    es5(build.script())
    for newer in (
        "var f = () => 1;",
        "let x = 1;",
        "var a = `x`;",
        "class A {}",
        "for (var x of y) {}",
        "var o = {a, b};",
    ):
        with pytest.raises(ECMASyntaxError):
            es5(newer)


@pytest.mark.parametrize("file", sorted((Path(build.HERE) / "js").glob("*.js")), ids=lambda file: file.name)
def test_each_module_is_small_and_part_of_the_script(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text in build.script()
    assert len(text.splitlines()) < 400
    assert text.endswith("\n")
    assert not re.search(r"[ \t]$", text, re.M)
    assert not re.search(r"\bpost\(|\brequire\(|\.apply\(|setTimeout|console\.", text)


def test_messages_of_controls_are_no_functions_of_the_script() -> None:
    """Max calls the function that is named like a message; only these three may be called so."""
    main = (build.HERE / "js" / "main.js").read_text(encoding="utf-8")
    assert set(re.findall(r"^function (\w+)", main, re.M)) == {"tick", "hide", "bang", "anything", "notifydeleted"}
    assert all(f"{name}.local = 1;" in main for name in ("tick", "hide"))


# The drawing


def test_the_drawings_are_up_to_date() -> None:
    for file, text in drawing.files().items():
        assert file.read_text(encoding="utf-8") == text, "run: python -m max_for_live.drawing"


def test_the_list_of_objects_is_whole() -> None:
    assert len(known()) > 1100
    assert json.dumps(known()["live.thisdevice"]) == "[1, 3]"


def test_the_page_names_every_button() -> None:
    page = (drawing.DOCS / "live.md").read_text(encoding="utf-8")
    for box in boxes(AUDIO).values():
        if box["maxclass"] == "live.text":
            assert f"**{box['text']}" in page or f", {box['text']}**" in page, box["text"]
