"""Intervals of the metrics beside the headline; scores of before have none."""

import sqlalchemy as sa
from alembic import op

revision = "v0002"
down_revision = "v0001"


def upgrade() -> None:
    op.add_column("scores", sa.Column("intervals", sa.JSON, nullable=False, server_default="{}"))
