"""The sound of a job's source at the press, as a hash: what is sent must be that."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; jobs of before have none."""
    op.add_column("jobs", sa.Column("sound", sa.String(64)))
