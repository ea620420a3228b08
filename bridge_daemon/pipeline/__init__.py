"""The way of a job after admit: one step, one module, one function that takes a Job and says what comes next.

May use spending and everything below it. Knows no frontend.
"""

__all__ = ["confirm", "context", "conveyor", "disk", "measure", "ownership", "placement", "shared"]
