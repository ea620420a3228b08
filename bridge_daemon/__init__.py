"""The bridge between a DAW and generated audio: one press, one paid generation, one take at the right place."""

__version__ = "0.1.0"  # pyproject.toml reads it here; to look it up in the metadata costs each start 25 ms
