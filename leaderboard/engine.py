"""Opening the database: its settings, and its tables brought up to date."""

import json
import sqlite3
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

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
        if parsed.database:
            event.listen(engine, "connect", partial(_note_file, Path(parsed.database)))
            event.listen(engine, "checkout", partial(_check_file, Path(parsed.database)))
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


class Database:
    """A database that is open until it is closed, or as a context."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._engine.dispose()


def _configure_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # WAL: readers and the one writer do not wait for each other.
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL, though NORMAL survives the death of a process: with FULL a finished run survives a power cut too,
    # for one fsync a run, and a run takes seconds.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _note_file(file: Path, _connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    entry.info["file"] = _identity(file)


def _check_file(
    file: Path, _connection: sqlite3.Connection, entry: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Never write to a file that was removed or replaced: SQLite would, and all of it would be lost."""
    now = _identity(file)
    if now is None:
        raise FileNotFoundError(f"the database {file} is not there any more.")
    if now != entry.info["file"]:
        raise DisconnectionError(f"the database {file} is another one now.")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _lock_for_migration(connection: Connection) -> None:
    """Wait for others that are migrating, so that the versions run once."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
