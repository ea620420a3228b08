"""The HTTP API: a thin skin over :class:`Desk`, behind checks that every request passes."""

__all__ = ["events", "server"]
