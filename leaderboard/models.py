"""The tables, for SQLite and PostgreSQL alike. A change here needs a new file in `migrations/versions`."""

import re
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

# Control characters (they can rewrite a terminal), direction overrides (they make a name read as another) and
# lone surrogates (no database takes them). Tab and line feed may stay.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(value: Any) -> Any:
    """Text, or every text inside lists and dicts, with unprintable characters shown as U+FFFD."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [printable(item) for item in value]
    return value


class PrintableText(TypeDecorator[str]):
    """Text that students wrote, made harmless on the way in."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else printable(value)


class PrintableJson(TypeDecorator[Any]):
    """JSON whose texts are made harmless on the way in."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's
        return printable(value)


class PrintableTexts(PrintableJson):
    """A tuple of texts made harmless on the way in."""

    cache_ok = True

    def process_result_value(self, value: list[str] | None, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else tuple(value)


class Replicates(TypeDecorator[NDArray[np.float64]]):
    """An array of shape (n_draws,), as little-endian float64."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: NDArray[np.float64] | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else np.asarray(value, dtype="<f8").tobytes()

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> NDArray[np.float64] | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else np.frombuffer(value, dtype="<f8")


class UtcTime(TypeDecorator[datetime]):
    """A moment with its zone; SQLite forgets zones, so it is always UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA = MetaData(
    naming_convention={
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
Known = partial(Column, nullable=False)
"""A column in which something always stands."""

RUNS = Table(
    "runs",
    METADATA,
    Known("id", PrintableText, primary_key=True),
    Known("task", PrintableText),
    Known("submission", PrintableText),
    Known("title", PrintableText),
    Known("authors", PrintableTexts),
    Known("team", PrintableText),
    Known("data", PrintableText),
    Known("split", PrintableText),
    Known("split_digest", PrintableText),
    Column("seed", BigInteger),
    Known("rendered", Boolean),
    Known("hidden", Boolean),
    Known("sealed", Boolean),
    Known("reference", Boolean),
    Known("state", PrintableText),
    Known("verdict", PrintableText),
    Known("reason", PrintableText),
    Known("notes", PrintableTexts),
    Known("marks", PrintableTexts),
    Known("device", PrintableText),
    Known("isolation", PrintableText),
    Known("code_hash", PrintableText),
    Known("weights_hash", PrintableText),
    Known("submission_hash", PrintableText),
    Column("rerun_of", PrintableText),
    Known("packages", PrintableJson),
    Known("machine", PrintableJson),
    Known("clips_ok", Integer),
    Known("clips_failed", Integer),
    Known("seconds", Double),
    Column("audio_seconds", Double),
    Column("peak_memory_bytes", BigInteger),
    Column("peak_gpu_bytes", BigInteger),
    Column("parameters", BigInteger),
    Column("multiply_adds", BigInteger),
    Known("owner", PrintableText),
    Known("created", UtcTime),
    Column("started", UtcTime),
    Column("finished", UtcTime),
    CheckConstraint("state IN ('queued', 'running', 'scored', 'failed', 'errored')", name="state"),
    Index(None, "task", "split_digest"),
    Index(None, "state"),
)
"""One submission on one split; the columns are the fields of `records.RunRecord`."""

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Known("run_id", PrintableText, ForeignKey("runs.id"), primary_key=True),
    Known("clip_id", PrintableText, primary_key=True),
    Known("group", PrintableText),
    Known("state", PrintableText),
    Known("verdict", PrintableText),
    Known("message", PrintableText),
    Known("seconds", Double),
    Column("score", Double),
    CheckConstraint("state IN ('ok', 'failed')", name="state"),
)
"""What became of one clip of a run."""

SCORES = Table(
    "scores",
    METADATA,
    Known("id", Integer, primary_key=True, autoincrement=True),
    Known("run_id", PrintableText, ForeignKey("runs.id")),
    Known("scorer_hash", PrintableText),
    Known("part", PrintableText),
    Known("name", PrintableText),
    Known("unit", PrintableText),
    Known("value", Double),
    Known("low", Double),
    Known("high", Double),
    Known("metrics", PrintableJson),
    Known("intervals", PrintableJson),
    Known("replicates", Replicates),
    Known("created", UtcTime),
    CheckConstraint("part IN ('whole', 'public', 'private')", name="part"),
    UniqueConstraint("run_id", "scorer_hash", "part"),
)
"""The scores of a part of a run by one scorer. The highest id of a part is current; older ones are kept."""

HAND_INS = Table(
    "hand_ins",
    METADATA,
    Known("number", Integer, primary_key=True, autoincrement=True),
    Known("id", PrintableText),
    Known("assignment", PrintableText),
    Known("team", PrintableText),
    Known("student", PrintableText),
    Known("received", UtcTime),
    Known("source", PrintableText),
    Known("archive_hash", PrintableText),
    Known("submission_hash", PrintableText),
    Known("accepted", Boolean),
    Known("checks", PrintableJson),
    Column("claimed", Double),
    Known("chosen", Boolean),
    Known("run", PrintableText),
    UniqueConstraint("id"),
    Index(None, "assignment", "team"),
)
"""What was handed in, numbered in that order; the other columns are the fields of `hand_ins.HandIn`."""
