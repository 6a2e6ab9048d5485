"""What alembic runs: the versions, on the connection that `migrations.upgrade` passes in."""

from alembic import context

from earmark.leaderboard.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
