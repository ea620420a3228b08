"""All that decides about money: admit, limits, prices, the service's catalogue, parameters, pause.

May use publish and everything below it.
"""

__all__ = ["admit", "catalogue", "chain", "estimate", "limits", "offers", "parameters", "pause", "press", "prices"]
