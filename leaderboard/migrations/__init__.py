"""The history of the tables, one file a version in `versions/`, run when a store is opened.

A new version is a copy of the newest file with its `revision` and `down_revision` moved on; HEAD names it.
A test checks that the versions, run from nothing, give exactly the tables of `models.py`.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

HEAD = "v0006"


def revision(connection: Connection) -> str | None:
    """The version of the tables in this database; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: Connection) -> None:
    """Bring the tables up to HEAD inside the connection's transaction.

    ValueError if a newer earmark wrote the database.
    """
    # Imported here because it takes longer than all the rest of opening a store, which rarely needs it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    found = revision(connection)
    try:
        command.upgrade(config, HEAD)
    except CommandError as error:
        raise ValueError(
            f"The database is at version {found!r}, this earmark knows versions up to {HEAD!r}: "
            "a newer earmark has written it. Update earmark, or use another database."
        ) from error
