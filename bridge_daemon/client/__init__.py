"""The HTTP client of our own API, for the command line and for scripts.

May use home, domain, util and errors. Never the daemon's own parts.
"""

__all__ = ["client"]
