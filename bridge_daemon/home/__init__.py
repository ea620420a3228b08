"""The home folder: its paths, which other paths may be used, secrets, logs.

May use util and errors.
"""

__all__ = ["api_key", "library_mark", "logs", "path_policy", "paths", "proof", "runtime", "s3_key", "secrets"]
