"""Who else may use a file on Windows, by its access list. On other systems its mode tells, and nothing is asked here.

The list is read as Windows writes it down (SDDL), so that its meaning can be tested on every system.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final

#: Who may use everything anyway: the system, administrators, the system's installer, and "whoever owns it".
_TRUSTED: Final = {
    "SY", "BA", "LA", "CO", "CG", "OW",
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
}  # fmt: skip
#: Groups that any user of the machine is in: everyone, authenticated users, users, guests, who is logged on.
_EVERYBODY: Final = {"WD", "AU", "BU", "BG", "AN", "IU", "NU", "RC"}
_ENTRY: Final = re.compile(r"\(([A-Z]+);([A-Z]*);([^;()]*);[^;()]*;[^;()]*;([^;()]*)")
#: Bits and their names in SDDL: write or append data, change the list or the owner, all; and read data.
_WRITE_BITS: Final = 0x2 | 0x4 | 0x40000 | 0x80000 | 0x10000000 | 0x40000000
_WRITE_NAMES: Final = {"FA", "GA", "FW", "GW", "WD", "WO", "DC", "LC"}
_READ_BITS: Final = 0x1 | 0x80000000
_READ_NAMES: Final = {"FR", "GR", "CC"}
_THE_LIST: Final = 4  # of all that is told of a file's safety


def others(sddl: str, user: str) -> set[str]:
    """Return who may read or write besides ``user`` and those who always may, by their names in ``sddl``."""
    return _who(sddl, _WRITE_BITS | _READ_BITS, _WRITE_NAMES | _READ_NAMES) - _TRUSTED - {user}


def everybody_writes(sddl: str) -> bool:
    """Return whether every user of the machine may write."""
    return bool(_who(sddl, _WRITE_BITS, _WRITE_NAMES) & _EVERYBODY)


def _who(sddl: str, bits: int, names: set[str]) -> set[str]:
    _, found, after = sddl.partition("D:")
    listed = after.partition("S:(")[0]
    if not found or listed.startswith("NO_ACCESS_CONTROL"):
        return {"WD"}  # no list at all lets everyone do everything
    return {
        sid
        for kind, _, rights, sid in _ENTRY.findall(listed)
        if kind in ("A", "OA", "XA") and _grants(rights, bits, names)
    }


def _grants(rights: str, bits: int, names: set[str]) -> bool:
    if rights.startswith("0x"):
        return bool(int(rights, 16) & bits)
    return bool({rights[at : at + 2] for at in range(0, len(rights), 2)} & names)


def is_open_to_others(path: Path) -> bool:
    """Return whether other users may read or write a file or folder; False on other systems. Raises OSError."""
    return sys.platform == "win32" and bool(others(_describe(path), _user()))


def is_open_to_all(path: Path) -> bool:
    """Return whether every user may write to a file or folder; False on other systems. Raises OSError."""
    return sys.platform == "win32" and everybody_writes(_describe(path))


def is_shared(path: Path) -> bool:
    """Return whether a path leads to a drive or folder of another machine; False on other systems."""
    if sys.platform == "win32":
        import ctypes

        anchor, remote = path.resolve().anchor, 4
        return anchor.startswith("\\\\") or bool(ctypes.WinDLL("kernel32").GetDriveTypeW(anchor) == remote)
    return False


def close(path: Path) -> None:
    """Leave a file or folder, and what is made in it, to its owner and the system. Windows only. Raises OSError."""
    if sys.platform == "win32":
        import ctypes

        inherit = "OICI" if path.is_dir() else ""
        text = "D:P" + "".join(f"(A;{inherit};FA;;;{sid})" for sid in ("SY", "BA", _user()))  # P: nothing from above
        advapi, descriptor = ctypes.WinDLL("advapi32", use_last_error=True), ctypes.c_void_p()
        _must(advapi.ConvertStringSecurityDescriptorToSecurityDescriptorW(text, 1, ctypes.byref(descriptor), None))
        try:
            _must(advapi.SetFileSecurityW(str(path), _THE_LIST, descriptor))
        finally:
            _free(descriptor)


def close_all(folder: Path) -> None:
    """Close a folder and all that lies in it, which keeps its own lists otherwise. Windows only. Raises OSError."""
    close(folder)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            close(path)


def _describe(path: Path) -> str:
    """Return the access list of a file as text."""
    if sys.platform == "win32":
        import ctypes

        advapi, descriptor, text = ctypes.WinDLL("advapi32", use_last_error=True), ctypes.c_void_p(), ctypes.c_wchar_p()
        file_object = 1
        code = advapi.GetNamedSecurityInfoW(
            str(path), file_object, _THE_LIST, None, None, None, None, ctypes.byref(descriptor)
        )
        if code:
            raise ctypes.WinError(code)
        try:
            _must(advapi.ConvertSecurityDescriptorToStringSecurityDescriptorW(
                descriptor, 1, _THE_LIST, ctypes.byref(text), None
            ))  # fmt: skip
            found = str(text.value)
            _free(text)
            return found
        finally:
            _free(descriptor)
    raise NotImplementedError


def _user() -> str:
    """Return the identifier of the user of this process."""
    if sys.platform == "win32":
        import ctypes

        advapi, token = ctypes.WinDLL("advapi32", use_last_error=True), ctypes.c_void_p()
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        query, token_user = 8, 1
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        process = ctypes.c_void_p(kernel.GetCurrentProcess())
        _must(advapi.OpenProcessToken(process, query, ctypes.byref(token)))
        try:
            buffer, size = ctypes.create_string_buffer(256), ctypes.c_uint32()
            _must(advapi.GetTokenInformation(token, token_user, buffer, len(buffer), ctypes.byref(size)))
            text = ctypes.c_wchar_p()
            sid = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_void_p))[0]
            _must(advapi.ConvertSidToStringSidW(ctypes.c_void_p(sid), ctypes.byref(text)))
            found = str(text.value)
            _free(text)
            return found
        finally:
            kernel.CloseHandle(token)
    raise NotImplementedError


def _free(pointer: Any) -> None:
    if sys.platform == "win32":
        import ctypes

        ctypes.WinDLL("kernel32").LocalFree(pointer)


def _must(done: int) -> None:
    if sys.platform == "win32" and not done:
        import ctypes

        raise ctypes.WinError(ctypes.get_last_error())
