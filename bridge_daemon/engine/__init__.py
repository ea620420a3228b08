"""What generates: the service's protocol, its client, the rate budget, and the built-in sketch engine."""
