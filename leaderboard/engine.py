"""Opening the database: its settings, and its tables brought up to date."""

import json
import sqlite3
from functools import lru_cache, partial
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.pool import ConnectionPoolEntry

from earmark.leaderboard import migrations

_BUSY_SECONDS = 30.0
_MIGRATION_LOCK = 0x6561726D  # "earm": any number, the same in every process


def open_engine(url: str) -> Engine:
    """An engine on an up-to-date database. ValueError if a newer earmark wrote it."""
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and parsed.database:
        file = Path(parsed.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)  # sqlite would let everybody read it
    engine = create_engine(
        parsed,
        connect_args={"timeout": _BUSY_SECONDS} if sqlite else {},
        json_serializer=partial(json.dumps, allow_nan=False),  # NaN is not JSON, and no score is NaN
        json_deserializer=lru_cache(maxsize=256)(json.loads),  # most runs have the same packages and machine
    )
    if sqlite:
        event.listen(engine, "connect", _configure_sqlite)
    try:
        with engine.connect() as connection:
            current = migrations.revision(connection) == migrations.HEAD
        if not current:
            with engine.connect() as connection, connection.begin():
                _lock_for_migration(connection)
                migrations.upgrade(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # WAL: readers and the one writer do not wait for each other.
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL, though NORMAL survives the death of a process: with FULL a finished run survives a power cut too,
    # for one fsync a run, and a run takes seconds.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _lock_for_migration(connection: Connection) -> None:
    """Wait for others that are migrating, so that the versions run once."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
