"""The rules of a folder that is not ours: what we wrote is ours, and everything else is somebody's."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridge_daemon.errors import InstallTrouble
from bridge_daemon.install import folder as folder_
from bridge_daemon.install.folder import Act, carry_out, plan_install, plan_uninstall
from bridge_daemon.install.manifest import NAME, Manifest
from bridge_daemon.util import files as files_
from tests.util.wine import is_wine

OWN = ("Scripts/Our Söhne",)
ONE = {f"{OWN[0]}/a.lua": b"a 1", f"{OWN[0]}/lib/b.lua": b"b 1"}
TWO = {f"{OWN[0]}/a.lua": b"a 2", f"{OWN[0]}/lib/c.lua": b"c 2"}


def tree(base: Path) -> dict[str, bytes]:
    """Return every file below a folder; empty folders as well."""
    return {
        path.relative_to(base).as_posix(): path.read_bytes() if path.is_file() else b"<folder>"
        for path in sorted(base.rglob("*"))
        if path.is_file() or not any(path.iterdir())
    }


def content(base: Path) -> dict[str, bytes]:
    """Return every file but the manifest."""
    return {path: data for path, data in tree(base).items() if not path.endswith(NAME)}


def put(base: Path, files: dict[str, bytes], version: str = "1", **more: Any) -> list[tuple[Act, str, str | None]]:
    plan = plan_install(base, OWN, files, version=version, **more)
    carry_out(plan, program="REAPER")
    return [(step.act, step.file.removeprefix(f"{OWN[0]}/"), step.to) for step in plan.steps]


def take(base: Path) -> list[tuple[Act, str]]:
    plan = plan_uninstall(base, OWN)
    carry_out(plan, program="REAPER")
    return [(step.act, step.file.removeprefix(f"{OWN[0]}/")) for step in plan.steps]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with things of somebody."""
    (tmp_path / "Scripts").mkdir()
    (tmp_path / "Scripts" / "mine.lua").write_bytes(b"mine")
    return tmp_path


def test_installed_and_removed_leaves_nothing_behind(base: Path) -> None:
    before = tree(base)
    assert put(base, ONE) == [(Act.ADD, "a.lua", None), (Act.ADD, "lib/b.lua", None)]
    assert content(base) == {**before, **ONE}
    assert put(base, ONE) == [(Act.SAME, "a.lua", None), (Act.SAME, "lib/b.lua", None)]
    assert take(base) == [(Act.REMOVE, "a.lua"), (Act.REMOVE, "lib/b.lua")]
    assert tree(base) == before


def test_folders_above_ours_that_an_install_made_go_with_it(tmp_path: Path) -> None:
    own = ("Presets/Audio/ours", "Presets/Midi/ours")
    files = {f"{own[0]}/a.amxd": b"a", f"{own[1]}/b.amxd": b"b"}
    (tmp_path / "Presets").mkdir()
    for version in "12":  # an update knows what the first install made
        carry_out(plan_install(tmp_path, own, files, version=version), program="Live")
    (tmp_path / "Presets" / "Midi" / "mine.adv").write_bytes(b"mine")
    carry_out(plan_uninstall(tmp_path, own), program="Live")
    assert tree(tmp_path) == {"Presets/Midi/mine.adv": b"mine"}


def test_folders_above_ours_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "Scripts").mkdir()
    put(tmp_path, ONE)
    take(tmp_path)
    assert tree(tmp_path) == {"Scripts": b"<folder>"}


def test_a_plan_changes_nothing(base: Path) -> None:
    before = tree(base)
    plan_install(base, OWN, ONE, version="1")
    assert tree(base) == before
    put(base, ONE)
    before = tree(base)
    plan_install(base, OWN, TWO, version="2")
    plan_uninstall(base, OWN)
    assert tree(base) == before


def test_an_update_replaces_what_is_ours_and_removes_what_is_no_longer_shipped(base: Path) -> None:
    put(base, ONE)
    steps = put(base, TWO, "2")
    assert steps == [(Act.UPDATE, "a.lua", None), (Act.ADD, "lib/c.lua", None), (Act.REMOVE, "lib/b.lua", None)]
    assert content(base) == {"Scripts/mine.lua": b"mine", **TWO}
    manifest = Manifest.read(base, OWN)
    assert manifest is not None
    assert manifest.version == "2"


def test_an_update_never_loses_what_a_person_changed(base: Path) -> None:
    put(base, ONE)
    (base / OWN[0] / "a.lua").write_bytes(b"my own a")
    (base / OWN[0] / "lib" / "b.lua").write_bytes(b"my own b")
    steps = put(base, TWO, "2")
    assert (Act.ASIDE, "a.lua", f"{OWN[0]}/a (your copy).lua") in steps
    assert (Act.KEEP, "lib/b.lua", None) in steps
    found = content(base)
    assert found[f"{OWN[0]}/a.lua"] == b"a 2"
    assert found[f"{OWN[0]}/a (your copy).lua"] == b"my own a"
    assert found[f"{OWN[0]}/lib/b.lua"] == b"my own b"
    (base / OWN[0] / "a.lua").write_bytes(b"my own a, once more")
    put(base, TWO, "2")
    assert content(base)[f"{OWN[0]}/a (your copy 2).lua"] == b"my own a, once more"
    assert content(base)[f"{OWN[0]}/a (your copy).lua"] == b"my own a"


def test_an_uninstall_leaves_what_is_not_as_we_wrote_it(base: Path) -> None:
    put(base, ONE)
    (base / OWN[0] / "a.lua").write_bytes(b"my own a")
    (base / OWN[0] / "notes.txt").write_bytes(b"notes")
    assert take(base) == [(Act.KEEP, "a.lua"), (Act.REMOVE, "lib/b.lua")]
    assert tree(base) == {
        "Scripts/mine.lua": b"mine",
        f"{OWN[0]}/a.lua": b"my own a",
        f"{OWN[0]}/notes.txt": b"notes",
    }
    with pytest.raises(InstallTrouble, match="Nothing was removed"):
        plan_uninstall(base, OWN)


def test_what_was_there_before_us_is_renamed_or_taken_over_where_it_is_the_same(base: Path) -> None:
    (base / OWN[0] / "lib").mkdir(parents=True)
    (base / OWN[0] / "a.lua").write_bytes(b"from elsewhere")
    (base / OWN[0] / "lib" / "b.lua").write_bytes(b"b 1")
    steps = put(base, ONE)
    assert steps == [
        (Act.ASIDE, "a.lua", f"{OWN[0]}/a (your copy).lua"),
        (Act.ADD, "a.lua", None),
        (Act.SAME, "lib/b.lua", None),
    ]


def test_merged_files_are_not_renamed(base: Path) -> None:
    put(base, ONE)
    (base / OWN[0] / "a.lua").write_bytes(b"changed by hand")
    new = {**ONE, f"{OWN[0]}/a.lua": b"changed by hand, and by us"}
    assert put(base, new, merged=[f"{OWN[0]}/a.lua"])[0] == (Act.UPDATE, "a.lua", None)


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_folder_or_a_link_in_the_place_of_a_file_is_somebodys(base: Path, kind: str) -> None:
    (base / OWN[0]).mkdir(parents=True)
    place = base / OWN[0] / "a.lua"
    if kind == "folder":
        (place / "deep").mkdir(parents=True)
    else:
        place.symlink_to(base / "Scripts" / "mine.lua")
        if is_wine() and not place.is_symlink():
            pytest.skip("wine shows a link as the file that it leads to")
    put(base, ONE)
    assert (base / OWN[0] / "a.lua").read_bytes() == b"a 1"
    assert not (base / OWN[0] / "a.lua").is_symlink()
    assert (base / OWN[0] / "a (your copy).lua").exists()
    assert (base / "Scripts" / "mine.lua").read_bytes() == b"mine"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2, "version": "1", "files": {}}', '{"files": 7}', "\x00"])
def test_a_damaged_manifest_owns_nothing(base: Path, text: str) -> None:
    put(base, ONE)
    (base / OWN[0] / "a.lua").write_bytes(b"changed")
    (base / OWN[0] / NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InstallTrouble):
        plan_uninstall(base, OWN)
    put(base, ONE)
    assert (base / OWN[0] / "a (your copy).lua").read_bytes() == b"changed"


@pytest.mark.parametrize(
    "path", ["Scripts/mine.lua", "../mine.lua", f"{OWN[0]}/../mine.lua", "/etc/passwd", "C:/x", OWN[0], ""]
)
def test_a_forged_manifest_removes_nothing_outside_of_our_folder(base: Path, path: str) -> None:
    put(base, ONE)
    written = base / OWN[0] / NAME
    data = json.loads(written.read_text(encoding="utf-8"))
    data["files"][path] = [files_.sha256(base / "Scripts" / "mine.lua")]
    written.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InstallTrouble):
        plan_uninstall(base, OWN)
    assert (base / "Scripts" / "mine.lua").exists()


@pytest.mark.parametrize("failing", range(1, 8))
def test_a_failed_update_takes_everything_back(base: Path, failing: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows refuses to replace a file that a DAW holds open: here each write of an update fails once."""
    put(base, ONE)
    (base / OWN[0] / "lib" / "b.lua").write_bytes(b"my own b")
    new = {**TWO, f"{OWN[0]}/lib/b.lua": b"b 2", f"{OWN[0]}/z.lua": b"z 2"}
    before, real, count = tree(base), files_.replace, 0

    def replace(source: Path, target: Path) -> None:
        nonlocal count
        count += 1
        if count == failing:
            raise PermissionError(errno.EACCES, "Permission denied", str(target))
        real(source, target)

    plan = plan_install(base, OWN, new, version="2")
    monkeypatch.setattr(files_, "replace", replace)
    if failing > 6:  # the manifest before, four files, the manifest after
        carry_out(plan, program="REAPER")
        assert count == 6
        return
    with pytest.raises(InstallTrouble) as told:
        carry_out(plan, program="REAPER")
    assert "as it was" in told.value.message
    assert told.value.code == "E-INSTALL"
    assert content(base) == {path: data for path, data in before.items() if not path.endswith(NAME)}
    monkeypatch.undo()
    put(base, new, "2")  # the next run goes through, and knows what is ours
    assert content(base)[f"{OWN[0]}/lib/b (your copy).lua"] == b"my own b"
    assert [path for path in content(base) if "your copy 2" in path] == []


def test_a_first_install_that_fails_leaves_no_trace(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(base)
    real = folder_.write_whole

    def full(path: Path, data: bytes, **more: Any) -> None:
        if path.name == "b.lua":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path, data, **more)

    monkeypatch.setattr(folder_, "write_whole", full)
    with pytest.raises(InstallTrouble) as told:
        put(base, ONE)
    assert told.value.next_step.startswith("Make room")
    assert tree(base) == before


CRASH = """
import sys
from pathlib import Path
from bridge_daemon.install.folder import carry_out, plan_install
from tests.install.test_folder import OWN, TWO
carry_out(plan_install(Path(sys.argv[1]), OWN, TWO, version="2"), program="REAPER")
"""


@pytest.mark.parametrize("point", ["file.manifest.replace:1", "file.installed.write:2", "file.installed.replace:1"])
def test_what_a_crash_left_behind_is_known_as_ours(base: Path, point: str) -> None:
    put(base, ONE)
    env = {**os.environ, "DAW_BRIDGE_FAILPOINT": point}
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", CRASH, str(base)], env=env, cwd=root, check=False)
    assert done.returncode == 137
    put(base, TWO, "2")
    assert content(base) == {"Scripts/mine.lua": b"mine", **TWO}
    assert "your copy" not in str(tree(base))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_may_not_be_written(base: Path) -> None:
    (base / "Scripts").chmod(0o500)
    try:
        with pytest.raises(InstallTrouble) as told:
            put(base, ONE)
    finally:
        (base / "Scripts").chmod(0o700)
    assert "without sudo" in told.value.next_step


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        (PermissionError(errno.EACCES, "denied", "x"), "without sudo"),
        (OSError(errno.EROFS, "read-only", "x"), "without sudo"),
        (OSError(errno.ENOSPC, "full", "x"), "Make room"),
        (OSError(errno.EIO, "broken", "x"), "Mend"),
    ],
)
def test_each_error_has_one_next_step(tmp_path: Path, error: OSError, next_step: str) -> None:
    with pytest.raises(InstallTrouble) as told, folder_._explained(tmp_path, "REAPER"):
        raise error
    assert next_step in told.value.next_step
    assert told.value.charge == "none"


def test_windows_says_that_a_program_holds_the_file(tmp_path: Path) -> None:
    class Held(PermissionError):
        winerror = 32

    with pytest.raises(InstallTrouble) as told, folder_._explained(tmp_path, "Live"):
        raise Held(errno.EACCES, "in use", "x.amxd")
    assert "holds it open" in told.value.message
    assert told.value.next_step.startswith("Close Live")
