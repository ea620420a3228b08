"""The file config.toml: its sections, the checks, what changed, and writing one setting with its comments kept.

May use home, domain, util and errors.
"""

__all__ = ["changes", "edit", "file", "load", "sections"]
