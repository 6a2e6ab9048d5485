"""What a run declared or was seen to do, such as training on other data."""

import sqlalchemy as sa
from alembic import op

revision = "v0004"
down_revision = "v0003"


def upgrade() -> None:
    op.add_column("runs", sa.Column("marks", sa.JSON, nullable=False, server_default="[]"))
