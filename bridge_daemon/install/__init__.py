"""What goes into the DAWs and to the supervisor of the system: puts it there, and takes it out again.

May use home, util and errors.
"""

__all__ = ["ardour", "daws", "live", "machine", "reaper", "reaper_check", "service", "target"]
