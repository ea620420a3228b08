r"""Wildcards in prompts: ``{warm|cold|tape-worn} piano`` is one of the three, chosen by the seed.

All choices of a prompt are counted through, the first group fastest, so seeds that follow each other (the variations
of a press) choose differently for as long as there are choices left, and the same seed chooses the same again.
A brace without a bar is no wildcard, and stays as it was typed. ``\{`` is a brace.
"""

from __future__ import annotations

import re
from typing import Final

from bridge_daemon.util.text import is_visible

_GROUP: Final = re.compile(r"\\\{|\{([^{}]*\|[^{}]*)\}")


def resolve(prompt: str, seed: int) -> str:
    """Return a prompt with a choice made in each of its groups."""
    left = seed

    def choose(match: re.Match[str]) -> str:
        nonlocal left
        if match[1] is None:
            return "{"
        options = match[1].split("|")
        left, number = divmod(left, len(options))
        return options[number].strip()

    return _GROUP.sub(choose, prompt)


def escape(text: str) -> str:
    """Return a prompt that is resolved to this very text."""
    return text.replace("{", "\\{") if _GROUP.search(text) else text


def least(prompt: str) -> str:
    """Return a prompt with the least choice in each of its groups: one that cannot be seen, if there is one."""

    def choose(match: re.Match[str]) -> str:
        return "{" if match[1] is None else min(match[1].split("|"), key=is_visible)

    return _GROUP.sub(choose, prompt)
