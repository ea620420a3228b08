"""What knows nothing of the product: files, failpoints, times, JSON, redaction.

May use errors only.
"""

__all__ = ["failpoints", "files", "redact", "secret_file", "strict_json", "tasks", "times"]
