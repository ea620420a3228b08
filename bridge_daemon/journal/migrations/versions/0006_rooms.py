"""The room of a studio that a job and a render belong to; in PostgreSQL, what rooms share besides."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns; a journal of one machine has one room, which has no name."""
    op.add_column("jobs", sa.Column("room", sa.String(40)))
    op.add_column("renders", sa.Column("room", sa.String(40)))
    if op.get_bind().dialect.name == "postgresql":
        _studio()


def _studio() -> None:
    op.create_table(
        "ledger",
        sa.Column("one", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("studio", sa.String(36), nullable=False),
        sa.Column("revision", sa.String(32), nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("run", sa.String(36), nullable=False),
        sa.Column("room", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("about", sa.JSON, nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("job", sa.String(16), sa.ForeignKey("jobs.job"), primary_key=True),
        sa.Column("worker", sa.String(36), sa.ForeignKey("workers.id"), nullable=False),
    )
    op.create_table(
        "budget",
        sa.Column("one", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("blocked_until", sa.Float, nullable=False),
    )
    op.execute("INSERT INTO budget VALUES (1, 0)")
    op.create_table(
        "calls",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("worker", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
    )
    op.create_index("calls_at", "calls", ["at"])
    op.create_table(
        "waits",
        sa.Column("worker", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("asked_at", sa.Float, nullable=False),
    )
