"""Scores of the public and the private part of a split, what a run cost, and which runs ran the same."""

import sqlalchemy as sa
from alembic import op

revision = "v0003"
down_revision = "v0002"


def upgrade() -> None:
    for name in ("isolation", "submission_hash"):
        op.add_column("runs", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("runs", sa.Column("rerun_of", sa.Text))
    op.add_column("runs", sa.Column("parameters", sa.BigInteger))
    op.add_column("runs", sa.Column("audio_seconds", sa.Double))
    op.add_column("runs", sa.Column("peak_gpu_bytes", sa.BigInteger))
    with op.batch_alter_table("scores") as scores:
        scores.add_column(sa.Column("part", sa.Text, nullable=False, server_default="whole"))
        scores.create_check_constraint(op.f("ck_scores_part"), "part IN ('whole', 'public', 'private')")
        scores.drop_constraint(op.f("uq_scores_run_id_scorer_hash"), type_="unique")
        scores.create_unique_constraint(
            op.f("uq_scores_run_id_scorer_hash_part"), ["run_id", "scorer_hash", "part"]
        )
