"""The daemon as a whole: builds the parts, starts and stops them in order, and keeps the machine awake.

May use every room but cli.
"""

__all__ = ["daemon", "run"]
