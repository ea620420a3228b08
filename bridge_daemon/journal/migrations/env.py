"""Alembic's entry: runs on the connection that the journal hands over. There is no command line and no ini file."""

from alembic import context

from bridge_daemon.journal.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
