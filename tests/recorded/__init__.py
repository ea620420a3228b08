"""Clocks of real programs, as they arrived."""
