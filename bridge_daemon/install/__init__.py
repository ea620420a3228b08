"""What goes into the DAWs: puts scripts and devices there, and takes them out again.

May use home, util and errors.
"""

__all__ = ["live", "machine", "reaper", "reaper_check", "target"]
