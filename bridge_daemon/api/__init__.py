"""The HTTP API: a thin skin over :class:`bridge_daemon.api.desk.Desk`, behind a door that every request passes."""
