"""The inbox and the outbox, for scripts that have only files: requests in, statuses and results out."""

__all__ = ["inbox"]
