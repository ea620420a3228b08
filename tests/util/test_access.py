"""Access lists of Windows: what they mean is tested everywhere, what the system does with them there alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge_daemon.errors import HomeUnsafe
from bridge_daemon.frontends.folders import scan
from bridge_daemon.home import paths
from bridge_daemon.home.paths import Home
from bridge_daemon.util import access
from bridge_daemon.util.files import write_whole
from bridge_daemon.util.secret_file import read_secret, write_new

ME = "S-1-5-21-1-2-3-1001"
OTHER = "S-1-5-21-1-2-3-1002"
OURS = f"(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;{ME})"
WINDOWS = pytest.mark.skipif(os.name != "nt", reason="Windows alone has such lists")


# the second form is that of a new folder on a second disk: D:\ lets authenticated users change, and users read
@pytest.mark.parametrize(
    ("listed", "others", "everybody"),
    [
        (f"D:{OURS}", set(), False),
        (f"D:AI{OURS}(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)(A;ID;0x1200a9;;;BU)", {"AU", "BU"}, True),
        (f"D:PAI{OURS}(A;;0x1200a9;;;WD)", {"WD"}, False),
        (f"D:PAI{OURS}(A;;FR;;;{OTHER})", {OTHER}, False),
        (f"D:PAI{OURS}(A;;FW;;;WD)", {"WD"}, True),
        (f"D:PAI{OURS}(A;;WD;;;{OTHER})", {OTHER}, False),  # may change the list
        (f"D:PAI(D;;FA;;;{OTHER}){OURS}", set(), False),
        (f"D:PAI{OURS}(A;;0x100080;;;BU)", set(), False),  # see that it is there, and wait for it
        (f"D:PAI(A;OICI;FA;;;CO)(A;;FA;;;LA){OURS}", set(), False),
        (f"D:PAI{OURS}S:(ML;;NW;;;LW)", set(), False),
        ("D:NO_ACCESS_CONTROL", {"WD"}, True),
        ("", {"WD"}, True),
        ("D:P", set(), False),
    ],
)
def test_what_a_list_says(listed: str, others: set[str], everybody: bool) -> None:
    assert access.others(listed, ME) == others
    assert access.everybody_writes(listed) is everybody


def test_a_home_on_a_shared_drive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths.access, "is_shared", lambda path: True)
    with pytest.raises(HomeUnsafe, match="shared drive"):
        Home(tmp_path / "home").prepare()
    assert not (tmp_path / "home").exists()


def test_a_home_whose_disk_knows_no_lists_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths.access, "is_open_to_others", lambda path: True)
    with pytest.raises(HomeUnsafe, match="no access rights"):
        Home(tmp_path / "home").prepare()


@WINDOWS
def test_paths_of_other_machines_are_known() -> None:
    assert access.is_shared(Path(r"\\server\share\home"))
    assert not access.is_shared(Path.home())


@WINDOWS
def test_a_home_that_was_open_is_closed_with_all_that_is_in_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    kept = home.path / "config.toml"
    kept.write_text("", encoding="utf-8")
    for path in (home.path, kept):
        _open_to_all(path)
        assert access.is_open_to_others(path)
    home.prepare()
    assert not access.is_open_to_others(home.path)
    assert not access.is_open_to_others(kept)


@WINDOWS
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    write_new(file, b"secret")
    assert read_secret(file) == "secret"
    _open_to_all(file)
    with pytest.raises(HomeUnsafe, match="Other users"):
        read_secret(file)
    write_whole(file, b"another", point="key")
    assert read_secret(file) == "another"


@WINDOWS
def test_a_folder_that_everybody_writes_to_is_known(tmp_path: Path) -> None:
    assert scan.who_else_writes(tmp_path) is None
    _open_to_all(tmp_path)
    assert "every user" in str(scan.who_else_writes(tmp_path))


def _open_to_all(path: Path) -> None:
    """Give everyone all rights."""
    import ctypes

    advapi, descriptor = ctypes.WinDLL("advapi32"), ctypes.c_void_p()  # type: ignore[attr-defined]
    text = "D:P(A;OICI;FA;;;WD)(A;OICI;FA;;;SY)"
    assert advapi.ConvertStringSecurityDescriptorToSecurityDescriptorW(text, 1, ctypes.byref(descriptor), None)
    assert advapi.SetFileSecurityW(str(path), 4, descriptor)
