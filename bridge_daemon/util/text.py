"""What people see of a text."""

from __future__ import annotations

import unicodedata
from typing import Final

#: Categories of Unicode that show nothing by themselves: controls, formats, halves, spaces, and marks on nothing.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Cn", "Zs", "Zl", "Zp", "Mn", "Me"})
#: Fillers and the blank of Braille: letters and symbols by their category, and empty on every screen.
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def is_visible(text: str) -> bool:
    """Return whether a text shows anything at all."""
    return any(letter not in _BLANK and unicodedata.category(letter) not in _UNSEEN for letter in text)
