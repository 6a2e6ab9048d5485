"""How many multiply-adds a model takes, for a second of audio or for a clip that is none."""

import sqlalchemy as sa
from alembic import op

revision = "v0005"
down_revision = "v0004"


def upgrade() -> None:
    op.add_column("runs", sa.Column("multiply_adds", sa.BigInteger))
