"""What generates: the service's protocol, its client, the rate budget, and the built-in sketch engine.

May use settings, home, journal, domain, util and errors. Knows nothing of requests, frontends or publishers.
"""

__all__ = ["address", "budget", "choice", "client", "download", "listing", "outgoing", "protocol", "resolver", "sketch"]
