"""Making a take fit: its beat grid, its loudness, loops without a click, and copies that stand on the grid.

All of it may take time and memory: it runs in a process of its own (``daw-bridge fit``), never in the daemon.

May use util and errors.
"""

__all__ = ["continued", "copy", "file", "grid", "key", "loop", "loudness", "onsets", "serve", "stretch"]
