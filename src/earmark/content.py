"""What takes reading a file to know, such as its hash, remembered for as long as the file stays as it was.

It is kept in a small database in the cache's folder. The database may be lost, damaged, locked or read-only: then
files are read again.
"""

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from earmark import course

JUST_NOW = 2_000_000_000
"""Nanoseconds; a file changed within them may change again without its times telling."""

PATIENCE = 5.0
"""Seconds to wait for another process that writes."""
TABLE = (
    "CREATE TABLE IF NOT EXISTS facts (kind TEXT, path BLOB, stamp TEXT, fact BLOB, PRIMARY KEY (kind, path)) "
    "WITHOUT ROWID"
)


def sha256(paths: Sequence[Path]) -> list[bytes]:
    """The SHA-256 of each file's content, 32 bytes. Raises OSError where a file can't be read."""
    return remembered("sha256", paths, _sha256)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def remembered(kind: str, paths: Sequence[Path], find: Callable[[Path], bytes]) -> list[bytes]:
    """`find(path)` for each path, found anew only where the file has changed since it was last found.

    `kind` names what is found. What `find` raises comes through; what it has found until then is kept.
    """
    stamps = [stamp(path) for path in paths]
    facts = _recalled(kind, paths, stamps)
    found = {}
    try:
        for path, now in zip(paths, stamps, strict=True):
            if path not in facts:
                found[path] = now
                facts[path] = find(path)
    finally:
        _keep(
            [
                (kind, _name(path), now, facts[path])
                for path, now in found.items()
                if path in facts and _settled(now)
            ]
        )
    return [facts[path] for path in paths]


def stamp(path: Path) -> str:
    """What changes when the file does: inode, size, times of its last change (ns); empty if it isn't there."""
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def _settled(now: str) -> bool:
    """Whether a stamp is old enough that another change of the file would show in it."""
    return bool(now) and max(map(int, now.split()[2:])) < time.time_ns() - JUST_NOW


def _recalled(kind: str, paths: Sequence[Path], stamps: Sequence[str]) -> dict[Path, bytes]:
    """What is still known of the paths."""
    facts = {}

    def look_up(database: sqlite3.Connection) -> None:
        query = "SELECT fact FROM facts WHERE kind = ? AND path = ? AND stamp = ?"
        for path, now in zip(paths, stamps, strict=True):
            row = database.execute(query, (kind, _name(path), now)).fetchone()
            if row:
                facts[path] = row[0]

    _transact(look_up)
    return facts


def _keep(rows: Sequence[tuple[str, bytes, str, bytes]]) -> None:
    if rows:
        _transact(
            lambda database: database.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", rows)
        )


def _name(path: Path) -> bytes:
    return os.fsencode(path.absolute())


def _transact(work: Callable[[sqlite3.Connection], object]) -> None:
    """Do something with the database, if that can be done; one that is damaged is thrown away."""
    path = course.cache() / "facts.db"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as database, database:
            database.execute("PRAGMA synchronous = OFF")  # what a crash of the machine destroys is found anew
            database.execute(TABLE)
            work(database)
    except (sqlite3.OperationalError, OSError):
        pass  # locked, read-only, or no room
    except sqlite3.DatabaseError:
        with contextlib.suppress(OSError):
            path.unlink()
