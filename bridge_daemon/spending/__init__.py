"""All that decides about money: admit, prices, the service's catalogue, parameters.

May use publish and everything below it.
"""

__all__ = ["admit", "catalogue", "parameters", "prices"]
