"""Makes ``index.xml``, by which ReaPack offers the scripts, from the header of the package file. Needs no REAPER.

    python reaper_scripts/make_index.py             writes index.xml
    python reaper_scripts/make_index.py --check     tells whether it is up to date
    python reaper_scripts/make_index.py --url URL   for a release: where the files of this folder can be downloaded

Without ``--url`` the addresses end in ``.invalid``, which nobody can ever own: an index that leads to the files of a
stranger would be a way into every REAPER that uses it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree

HERE: Final = Path(__file__).parent
PACKAGE: Final = "DAW Bridge_Setup.lua"
INDEX_NAME: Final = "DAW Bridge"
NOWHERE: Final = "https://daw-bridge.invalid/v{version}/reaper_scripts"

_TAG: Final = re.compile(r"^--\s?@(\w+)(?:[ \t]+(.*?))?\s*$")
_MORE: Final = re.compile(r"^--(?:\t|[ ]{2,})(.*?)\s*$")
_PROVIDED: Final = re.compile(r"^(?:\[([^\]]*)\]\s*)?(\S.*)$")
_FORBIDDEN: Final = set('*\\:<>?/|"')
_TAGS: Final = {"description", "author", "version", "changelog", "provides", "about", "link", "donation", "screenshot"}
_SECTIONS: Final = {"main", "midi_editor", "midi_inlineeditor", "midi_eventlisteditor", "mediaexplorer"}
_LARGEST_NUMBER: Final = 65_535


class HeaderFault(Exception):
    """A header that ReaPack would not take."""


@dataclass(frozen=True)
class Source:
    """One file of the package."""

    file: str  #: path from the package file, with /
    sections: str  #: action sections that it appears in; empty: it is no action


@dataclass(frozen=True)
class Package:
    """What the header of the package file says."""

    description: str
    author: str
    version: str
    changelog: str
    sources: Sequence[Source] = field(default_factory=list)


def read_header(text: str) -> dict[str, str]:
    """Return the tags at the top of a script; lines that go on are joined by line ends.

    Raises:
        HeaderFault: a tag is unknown or there twice, or an empty line cuts the header in two.
    """
    tags: dict[str, list[str]] = {}
    current: list[str] | None = None
    ended = False
    for line in text.splitlines():
        if tag := _TAG.match(line):
            name = tag[1]
            if ended:
                raise HeaderFault(f"@{name} stands below the end of the header")
            if name in tags:
                raise HeaderFault(f"@{name} is there twice")
            current = tags[name] = [tag[2]] if tag[2] else []
        elif current is not None and not ended and (more := _MORE.match(line)):
            current.append(more[1])
        elif tags:
            ended = True
            if not line.startswith("--"):
                break
    return {name: "\n".join(lines) for name, lines in tags.items()}


def read_package(folder: Path) -> Package:
    """Return the package of a folder of scripts.

    Raises:
        HeaderFault: ReaPack would not take it, or files of the folder are in no package.
    """
    tags = read_header((folder / PACKAGE).read_text(encoding="utf-8"))
    unknown = sorted(set(tags) - _TAGS)
    if unknown:
        raise HeaderFault(f"{PACKAGE}: unknown tags {', '.join(unknown)}")
    for name in ("description", "author", "version", "provides"):
        if not tags.get(name, "").strip():
            raise HeaderFault(f"{PACKAGE}: @{name} is missing")
    version = tags["version"].strip()
    numbers = re.findall(r"\d+", version)
    if not version[0].isdigit() or any(int(number) > _LARGEST_NUMBER for number in numbers):
        raise HeaderFault(f"{PACKAGE}: @version {version} must start with a digit, and have no number above 65535")
    sources = [source for line in tags["provides"].splitlines() for source in _provided(folder, line.strip()) if line]
    _check_files(folder, sources)
    return Package(tags["description"], tags["author"], version, tags.get("changelog", ""), sources)


def _provided(folder: Path, line: str) -> list[Source]:
    found = _PROVIDED.match(line)
    if not found:
        return []
    options, pattern = (found[1] or "").split(), found[2].strip()
    paths = [folder / PACKAGE] if pattern == "." else sorted(folder.glob(pattern))
    if not paths:
        raise HeaderFault(f"{PACKAGE}: @provides {pattern} is no file")
    sections = ""
    for option in options:
        name, _, values = option.partition("=")
        if name == "main":
            sections = (values or "main").replace(",", " ")
        elif name != "nomain":
            raise HeaderFault(f"{PACKAGE}: @provides has the unknown option {option}")
    if not options and pattern == ".":
        sections = "main"
    if not set(sections.split()) <= _SECTIONS:
        raise HeaderFault(f"{PACKAGE}: @provides {pattern}: unknown section in {sections}")
    return [Source(path.relative_to(folder).as_posix(), sections) for path in paths]


def _check_files(folder: Path, sources: Sequence[Source]) -> None:
    names = [source.file for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise HeaderFault(f"{PACKAGE}: @provides names {', '.join(twice)} twice")
    scripts = {file.relative_to(folder).as_posix() for file in folder.rglob("*.lua")}
    missing = sorted(scripts - set(names))
    if missing:
        raise HeaderFault(f"{PACKAGE}: @provides leaves out {', '.join(missing)}")
    for name in names:
        if set(Path(name).name) & _FORBIDDEN:
            raise HeaderFault(f"{name}: ReaPack takes no such character in a name")
        if name != PACKAGE and "noindex" not in read_header((folder / name).read_text(encoding="utf-8")):
            raise HeaderFault(f"{name}: `-- @noindex` is missing, so it would be a package of its own")


def make_index(package: Package, url: str, category: str) -> str:
    """Return the text of ``index.xml``; ``url`` is where the files of the folder are."""
    index = ElementTree.Element("index", version="1", name=INDEX_NAME)
    in_category = ElementTree.SubElement(index, "category", name=category)
    reapack = ElementTree.SubElement(in_category, "reapack", name=PACKAGE, type="script", desc=package.description)
    version = ElementTree.SubElement(reapack, "version", name=package.version, author=package.author)
    if package.changelog.strip():
        ElementTree.SubElement(version, "changelog").text = package.changelog.strip()
    for source in package.sources:
        told: dict[str, str] = {}
        if source.file != PACKAGE:
            told["file"] = source.file
        if source.sections:
            told["main"] = source.sections
        ElementTree.SubElement(version, "source", told).text = f"{url.rstrip('/')}/{quote(source.file)}"
    ElementTree.indent(index)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(index, encoding="unicode") + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the index; return the exit code."""
    parser = argparse.ArgumentParser(description="Makes index.xml for ReaPack.")
    parser.add_argument("--url", help="where the files of this folder can be downloaded; {version} is put in")
    parser.add_argument("--output", type=Path, default=HERE / "index.xml")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where the file is not up to date")
    given = parser.parse_args(arguments)
    try:
        package = read_package(HERE)
    except HeaderFault as fault:
        parser.exit(1, f"{fault}\n")
    url = (given.url or NOWHERE).replace("{version}", package.version)
    text = make_index(package, url, HERE.name)
    if given.check:
        same = given.output.is_file() and given.output.read_text(encoding="utf-8") == text
        return 0 if same else 1
    given.output.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
