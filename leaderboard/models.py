"""The tables, for SQLite and PostgreSQL alike. A change here needs a new file in `migrations/versions`."""

import re
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

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


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: PrintableText,
        float: Double,
        datetime: UtcTime,
        dict[str, Any]: PrintableJson,
        tuple[str, ...]: PrintableTexts,
    }


class Run(Base):
    """One submission on one split; the fields are those of `records.RunRecord`."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'scored', 'failed', 'errored')", name="state"),
        Index(None, "task", "split_digest"),
        Index(None, "state"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    task: Mapped[str]
    submission: Mapped[str]
    title: Mapped[str]
    authors: Mapped[tuple[str, ...]]
    team: Mapped[str]
    data: Mapped[str]
    split: Mapped[str]
    split_digest: Mapped[str]
    seed: Mapped[int | None] = mapped_column(BigInteger)
    rendered: Mapped[bool]
    hidden: Mapped[bool]
    sealed: Mapped[bool]
    reference: Mapped[bool]
    state: Mapped[str]
    verdict: Mapped[str]
    reason: Mapped[str]
    notes: Mapped[tuple[str, ...]]
    marks: Mapped[tuple[str, ...]]
    device: Mapped[str]
    isolation: Mapped[str]
    code_hash: Mapped[str]
    weights_hash: Mapped[str]
    submission_hash: Mapped[str]
    rerun_of: Mapped[str | None]
    packages: Mapped[dict[str, Any]]
    machine: Mapped[dict[str, Any]]
    clips_ok: Mapped[int]
    clips_failed: Mapped[int]
    seconds: Mapped[float]
    audio_seconds: Mapped[float | None]
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    peak_gpu_bytes: Mapped[int | None] = mapped_column(BigInteger)
    parameters: Mapped[int | None] = mapped_column(BigInteger)
    owner: Mapped[str]
    created: Mapped[datetime]
    started: Mapped[datetime | None]
    finished: Mapped[datetime | None]


class Outcome(Base):
    """What became of one clip of a run."""

    __tablename__ = "outcomes"
    __table_args__ = (CheckConstraint("state IN ('ok', 'failed')", name="state"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    clip_id: Mapped[str] = mapped_column(primary_key=True)
    group: Mapped[str]
    state: Mapped[str]
    verdict: Mapped[str]
    message: Mapped[str]
    seconds: Mapped[float]
    score: Mapped[float | None]


class Score(Base):
    """The scores of a part of a run by one scorer. The highest id of a part is current; older ones are kept."""

    __tablename__ = "scores"
    __table_args__ = (
        CheckConstraint("part IN ('whole', 'public', 'private')", name="part"),
        UniqueConstraint("run_id", "scorer_hash", "part"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    scorer_hash: Mapped[str]
    part: Mapped[str]
    name: Mapped[str]
    unit: Mapped[str]
    value: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]
    metrics: Mapped[dict[str, Any]]
    intervals: Mapped[dict[str, Any]]
    replicates: Mapped[NDArray[np.float64]] = mapped_column(Replicates)
    created: Mapped[datetime]
