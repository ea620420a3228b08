"""The index for ReaPack, held against what is known of ReaPack's rules."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest

from bridge_daemon import __version__

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "reaper_scripts"


@pytest.fixture(scope="module")
def index() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_index", SCRIPTS / "make_index.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_index"] = module
    spec.loader.exec_module(module)
    return module


def test_the_committed_index_is_up_to_date(index: ModuleType) -> None:
    assert index.main(["--check"]) == 0, "run: python reaper_scripts/make_index.py"


def test_the_index_follows_the_rules_of_reapack(index: ModuleType) -> None:
    root = ElementTree.parse(SCRIPTS / "index.xml").getroot()
    assert root.tag == "index"
    assert root.attrib == {"version": "1", "name": "DAW Bridge"}
    (category,) = root.findall("category")
    assert category.attrib["name"] == "reaper_scripts"
    (package,) = category.findall("reapack")
    assert package.attrib["type"] == "script"
    assert package.attrib["desc"]
    (version,) = package.findall("version")
    assert re.fullmatch(r"\d[\w.\-]*", version.attrib["name"])
    assert version.attrib["author"]
    for name in (root.attrib["name"], category.attrib["name"], package.attrib["name"]):
        assert not set(name) & set('*\\:<>?/|"')
    files: list[str] = []
    for source in version.findall("source"):
        assert set(source.attrib) <= {"file", "main"}
        file = source.attrib.get("file", package.attrib["name"])
        files.append(file)
        url = urlsplit(source.text or "")
        assert url.scheme == "https"
        assert unquote(url.path) == f"/v{__version__}/reaper_scripts/{file}"
        assert " " not in (source.text or "")
    assert sorted(files) == sorted(file.relative_to(SCRIPTS).as_posix() for file in SCRIPTS.rglob("*.lua"))
    assert package.attrib["name"] in files


def test_every_action_and_no_module_is_in_the_action_list(index: ModuleType) -> None:
    package = index.read_package(SCRIPTS)
    for source in package.sources:
        assert (source.sections == "main") is ("/" not in source.file), source.file


def test_the_version_is_that_of_the_bridge(index: ModuleType) -> None:
    assert index.read_package(SCRIPTS).version == __version__
    assert f'"{__version__}"' in (SCRIPTS / "lib" / "version.lua").read_text(encoding="utf-8")


def test_a_release_names_its_own_address(index: ModuleType, tmp_path: Path) -> None:
    output = tmp_path / "index.xml"
    assert index.main(["--url", "https://example.org/daw-bridge/{version}/", "--output", str(output)]) == 0
    text = output.read_text(encoding="utf-8")
    assert f"https://example.org/daw-bridge/{__version__}/DAW%20Bridge_Setup.lua" in text
    assert ".invalid" not in text
    assert index.main(["--check", "--output", str(output)]) == 1


GOOD = """\
-- @description DAW Bridge: generate
-- @author Somebody
-- @version 1.2.3
-- @provides
--   [main] .
--   [main=main,midi_editor] DAW Bridge_Other.lua
--   [nomain] lib/*.lua
-- @changelog
--   First.
--   Second.

local x = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    def make(header: str) -> Path:
        (tmp_path / "lib").mkdir()
        (tmp_path / "DAW Bridge_Setup.lua").write_text(header, encoding="utf-8")
        (tmp_path / "DAW Bridge_Other.lua").write_text("-- @noindex\nlocal y = 1\n", encoding="utf-8")
        (tmp_path / "lib" / "a.lua").write_text("-- @noindex\nreturn {}\n", encoding="utf-8")
        return tmp_path

    return make


def test_a_header_is_read(index: ModuleType, folder: Callable[[str], Path]) -> None:
    package = index.read_package(folder(GOOD))
    assert package.version == "1.2.3"
    assert package.changelog == "First.\nSecond."
    assert {source.file: source.sections for source in package.sources} == {
        "DAW Bridge_Setup.lua": "main",
        "DAW Bridge_Other.lua": "main midi_editor",
        "lib/a.lua": "",
    }


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("@version 1.2.3", "@version v1.2.3", "must start with a digit"),
        ("@version 1.2.3", "@version 1.2.65536", "no number above 65535"),
        ("-- @version 1.2.3\n", "", "@version is missing"),
        ("-- @author Somebody\n", "", "@author is missing"),
        ("-- @author Somebody\n", "-- @author Somebody\n\n", "below the end of the header|is missing"),
        ("-- @author Somebody\n", "-- @author Somebody\n-- @author Another\n", "twice"),
        ("-- @author Somebody\n", "-- @author Somebody\n-- @licence MIT\n", "unknown tags licence"),
        ("[nomain] lib/*.lua", "[nomain] modules/*.lua", "is no file"),
        ("--   [nomain] lib/*.lua\n", "", "leaves out lib/a.lua"),
        ("[nomain] lib", "[hidden] lib", "unknown option hidden"),
        ("midi_editor", "piano_roll", "unknown section"),
        ("[main] .", "[main] DAW Bridge_Other.lua", "twice"),
    ],
)
def test_what_reapack_would_not_take_is_refused(
    index: ModuleType, folder: Callable[[str], Path], old: str, new: str, says: str
) -> None:
    assert old in GOOD
    with pytest.raises(index.HeaderFault, match=says):
        index.read_package(folder(GOOD.replace(old, new)))


def test_a_script_that_would_be_a_package_of_its_own_is_refused(
    index: ModuleType, folder: Callable[[str], Path]
) -> None:
    made = folder(GOOD)
    (made / "lib" / "a.lua").write_text("return {}\n", encoding="utf-8")
    with pytest.raises(index.HeaderFault, match="noindex"):
        index.read_package(made)
