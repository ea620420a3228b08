"""OSC over UDP: messages in, answers and results out."""

__all__ = ["announcer", "server"]
