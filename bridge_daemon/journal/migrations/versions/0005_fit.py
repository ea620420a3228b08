"""What was measured of a take, and its fitted copy."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; takes of before were not measured."""
    op.add_column("jobs", sa.Column("grid", sa.JSON(none_as_null=True)))
    op.add_column("jobs", sa.Column("fitted", sa.JSON(none_as_null=True)))
