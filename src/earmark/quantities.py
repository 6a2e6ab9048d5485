"""Quantities in words, as a course file says them: 4 GiB, 90 s, 2 days, 10 M, 20 %."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

TIMES = {
    "ms": 0.001,
    "s": 1,
    "min": 60,
    "h": 3600,
    "day": 86400,
    "days": 86400,
    "week": 604800,
    "weeks": 604800,
}
"""In seconds."""
SIZES = {"B": 1} | {
    f"{prefix}{byte}": factor ** (place + 1)
    for byte, factor, prefixes in (("B", 1000, "kMGT"), ("iB", 1024, "KMGT"))
    for place, prefix in enumerate(prefixes)
}
"""In bytes: kB, MB, GB, TB by thousands, KiB, MiB, GiB, TiB by 1024."""
COUNTS = {"k": 1000, "M": 1_000_000, "G": 1_000_000_000}

_NUMBER_AND_UNIT = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([A-Za-z%]+)\s*")


def quantity(said: Any, units: Mapping[str, float]) -> float | None:
    """What a text such as `90 s` comes to; None for what is no number with one of these units."""
    found = _NUMBER_AND_UNIT.fullmatch(said) if isinstance(said, str) else None
    if found is None or found[2] not in units:
        return None
    return float(found[1].replace("_", "")) * units[found[2]]


def duration(said: Any) -> timedelta:
    """A time such as `36 h` or `1 day`. Raises ValueError for anything else, and for none at all."""
    seconds = quantity(said, TIMES)
    if not seconds:
        raise ValueError(f"a time such as 36 h or 1 day was expected, got {said!r}")
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise ValueError(f"{said} is longer than time itself is here") from None


def share(said: Any) -> float:
    """A share such as `20 %`, 0 to 1. Raises ValueError for anything else: 0.2 might mean either."""
    found = quantity(said, {"%": 0.01})
    if found is None or found > 1:
        raise ValueError(f"a share such as 20 % was expected, at most 100 %, got {said!r}")
    return round(found, 12)  # 0.07 and not 0.07 and a bit
