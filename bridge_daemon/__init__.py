"""The bridge between a DAW and generated audio: one press, one paid generation, one take at the right place."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("daw-bridge")
except PackageNotFoundError:  # run from a source folder that was never installed
    __version__ = "0+unknown"
