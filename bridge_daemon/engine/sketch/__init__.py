"""The sketch engine: makes simple music on this machine, free of charge, and speaks the paid service's protocol.

It is there so that the whole way from a press to a take can be tried without key, network or money. What it makes is a
sketch put together by rules from a few words of the prompt. No model is in it.

May use util and errors.
"""

__all__ = ["server"]
