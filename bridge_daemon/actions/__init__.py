"""The verbs that every frontend uses: generate, transform, cancel, retry, deliver, resolve, pause, resume.

May use pipeline, spending and everything below them. Knows no frontend.
"""

__all__ = ["bridge", "jobs", "renders", "settings", "sources", "takes"]
