"""What alembic runs: the versions, on the connection that `migrations.upgrade` passes in."""

from alembic import context

from earmark.leaderboard.models import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
