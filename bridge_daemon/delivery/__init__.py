"""Bringing a take to where it belongs."""
