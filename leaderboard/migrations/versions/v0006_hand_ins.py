"""What was handed in, with its checks."""

import sqlalchemy as sa
from alembic import op

revision = "v0006"
down_revision = "v0005"


def upgrade() -> None:
    op.create_table(
        "hand_ins",
        sa.Column("number", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("assignment", sa.Text, nullable=False),
        sa.Column("team", sa.Text, nullable=False),
        sa.Column("student", sa.Text, nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("archive_hash", sa.Text, nullable=False),
        sa.Column("submission_hash", sa.Text, nullable=False),
        sa.Column("accepted", sa.Boolean, nullable=False),
        sa.Column("checks", sa.JSON, nullable=False),
        sa.Column("claimed", sa.Double),
        sa.Column("chosen", sa.Boolean, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_hand_ins"),
        sa.UniqueConstraint("id", name="uq_hand_ins_id"),
    )
    op.create_index("ix_hand_ins_assignment_team", "hand_ins", ["assignment", "team"])
