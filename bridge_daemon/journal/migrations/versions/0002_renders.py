"""Renders: what was seen in watched folders."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table of renders."""
    op.create_table(
        "renders",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("folder", sa.String(200), nullable=False),
        sa.Column("root", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code", sa.String(32)),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("same_as", sa.Integer),
        sa.Column("request", sa.String(36)),
        sa.Column("try_id", sa.String(36)),
        sa.Column("try_body", sa.JSON),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("present", sa.Boolean, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_index("renders_place", "renders", ["root", "present"])
    op.create_index("renders_content", "renders", ["sha256"])
    op.create_index("renders_size", "renders", ["size"])
    op.create_index("renders_state", "renders", ["present", "state"])
