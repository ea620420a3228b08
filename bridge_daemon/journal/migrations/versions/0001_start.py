"""Requests, jobs, events, facts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of the first version."""
    op.create_table(
        "requests",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("client", sa.String(40)),
        sa.Column("body_hash", sa.String(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_index("requests_fingerprint", "requests", ["fingerprint", "created_at"])
    op.create_table(
        "jobs",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("job", sa.String(16), nullable=False, unique=True),
        sa.Column("request", sa.String(36), sa.ForeignKey("requests.id"), nullable=False),
        sa.Column("client", sa.String(40)),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("preset", sa.String(200)),
        sa.Column("engine", sa.String(32), nullable=False),
        sa.Column("base_url", sa.String(500), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("charge", sa.String(16), nullable=False),
        sa.Column("charge_day", sa.String(10)),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("variation", sa.Integer, nullable=False),
        sa.Column("variations", sa.Integer, nullable=False),
        sa.Column("place", sa.JSON, nullable=False),
        sa.Column("source", sa.JSON),
        sa.Column("source_file", sa.Text),
        sa.Column("publication", sa.JSON),
        sa.Column("remote_id", sa.String(500)),
        sa.Column("fraction", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("output_url", sa.Text),
        sa.Column("original", sa.Text),
        sa.Column("original_sha256", sa.String(64)),
        sa.Column("take", sa.JSON),
        sa.Column("delivery", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Boolean, nullable=False),
        sa.Column("notes", sa.JSON, nullable=False),
        sa.Column("retry_of", sa.String(16)),
        sa.Column("problem", sa.JSON),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("valid_until", sa.Float, nullable=False),
        sa.Column("submitted_at", sa.Float),
        sa.Column("finished_at", sa.Float),
    )
    op.create_index("jobs_state", "jobs", ["state"])
    op.create_index("jobs_request", "jobs", ["request"])
    op.create_index("jobs_charge_day", "jobs", ["charge_day"])
    op.create_index("jobs_remote", "jobs", ["base_url", "remote_id"], unique=True)
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("job", sa.String(16), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
    )
    op.create_index("events_job", "events", ["job", "id"])
    op.create_table(
        "facts",
        sa.Column("key", sa.String(300), primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
    )
