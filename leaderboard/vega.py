"""Vega-Lite's script, as the package vl-convert-python carries it: nothing is fetched from anywhere."""

import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path


def script() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, which sets `vegaEmbed`.

    Putting it together takes seconds, so that it is done once for each version and kept in the user's cache.
    """
    kept = user_cache_path("earmark") / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError):
        return kept.read_text(encoding="utf-8")
    import vl_convert  # noqa: PLC0415 - most sites find it kept

    text: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    with suppress(OSError):  # a cache that can't be written costs the next site some seconds
        _write_whole(kept, text)
    return text


def _write_whole(path: Path, text: str) -> None:
    """The file appears under its name only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as draft:
        draft.write(text)
    Path(draft.name).replace(path)
