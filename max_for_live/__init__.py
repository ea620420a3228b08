"""The Max for Live devices: their source as text, and the build that makes the frozen files without Max."""
