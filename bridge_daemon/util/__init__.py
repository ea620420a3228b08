"""What knows nothing of the product: files, failpoints, programs, sockets, times, JSON, redaction.

May use errors only.
"""

__all__ = [
    "access",
    "console",
    "failpoints",
    "files",
    "foreign",
    "held",
    "held_folder",
    "loading",
    "long_paths",
    "loopback",
    "ourselves",
    "port_holder",
    "programs",
    "redact",
    "reveal",
    "same_place",
    "secret_file",
    "stopping",
    "strict_json",
    "tasks",
    "text",
    "threads",
    "times",
    "watching",
]
