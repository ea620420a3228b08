"""What a person thinks of a take: favourite, tags, and when it was put into the trash."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; jobs of before have no marks."""
    op.add_column("jobs", sa.Column("favourite", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("tags", sa.JSON, nullable=False, server_default="[]"))
    op.add_column("jobs", sa.Column("trashed_at", sa.Float))
