"""Watched folders: a render that lands in one becomes a request, its take lands in the folder beside it."""

__all__ = ["frontend"]
