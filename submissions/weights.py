"""The tensors in a submission's files of weights, read in a sandbox."""

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from earmark.submissions import tensors
from earmark.submissions.binds import Bind
from earmark.submissions.counting import WEIGHTS as PLACE
from earmark.submissions.errors import SubmissionError, legible
from earmark.submissions.folder import WEIGHTS, entries
from earmark.submissions.limits import Limits
from earmark.submissions.sandbox import Isolation
from earmark.submissions.session import Session

LEAST = 64
"""Numbers in a tensor that is read; less are biases and the like, which tell little."""
MOST = 100_000_000
"""Numbers that are read of one submission."""


@dataclass(frozen=True)
class Weights:
    """What could be read of a submission's weights."""

    tensors: Mapping[str, NDArray[np.float32]]
    """By file and name, `weights.safetensors: conv.weight`."""
    unread: Mapping[str, str]
    """Files of weights that were not read, and why."""


def read_weights(folder: Path, isolation: Isolation = "bubblewrap", limits: Limits | None = None) -> Weights:
    """Read the weights in a submission's folder, in a sandbox; what can't be read is told, not raised.

    Raises OurFault where there is no sandbox.
    """
    paths = [path for path, entry in entries(folder) if entry.is_file(follow_symlinks=False)]
    names = sorted(str(path.relative_to(folder)) for path in paths if path.suffix.lower() in WEIGHTS)
    readable = [name for name in names if Path(name).suffix.lower() in tensors.READS]
    unread = {name: f"{Path(name).suffix} files are not read" for name in names if name not in set(readable)}
    if not readable:
        return Weights({}, unread)
    try:
        return _sealed(folder, readable, unread, isolation, limits or Limits())
    except SubmissionError as error:
        return Weights({}, unread | dict.fromkeys(readable, f"could not be read: {error}"))


def _sealed(
    submission: Path, names: Sequence[str], unread: Mapping[str, str], isolation: Isolation, limits: Limits
) -> Weights:
    with tempfile.TemporaryDirectory(prefix="earmark-weights-") as folder:
        Path(folder, "predict.py").write_text(Path(tensors.__file__).read_text(encoding="utf-8"))
        Path(folder).chmod(0o755)
        where = str(PLACE if isolation == "bubblewrap" else submission)
        with Session(
            Path(folder),
            limits=replace(limits, clip_seconds=limits.startup_seconds),
            isolation=isolation,
            also=[Bind(submission, PLACE)],
        ) as session:
            request = {"folder": where, "names": list(names)}
            index = _asked(session, request | {"least": LEAST}, np.zeros(tensors.INDEX_BYTES, np.uint8))
            listed = json.loads(bytes(index))
            damaged = {
                name: "it is not what its name says, or older than torch 1.6"
                for name, found in zip(names, listed, strict=True)
                if found is None
            }
            known = [
                Tensor(file, number, legible(f"{names[file]}: {name}"), shape)
                for file, found in enumerate(listed)
                for number, name, shape in found or ()
            ]
            return _fetched(session, request, known, {**unread, **damaged})


class Tensor(NamedTuple):
    """One that a file has."""

    file: int
    number: int
    name: str
    shape: list[int] | str
    """Or the kind of its numbers, where these can't be read."""


def _fetched(
    session: Session, request: dict[str, Any], known: Sequence[Tensor], unread: Mapping[str, str]
) -> Weights:
    """Those tensors that are known, some at a time, as long as they are no more than MOST numbers."""
    found: dict[str, NDArray[np.float32]] = {}
    unread, total = dict(unread), 0
    for tensor in known:
        # Two tensors of one name, which a zip may have, are two.
        taken = tensor.name in found or tensor.name in unread
        name = f"{tensor.name} ({tensor.number})" if taken else tensor.name
        if isinstance(tensor.shape, str):
            unread[name] = f"its numbers are {legible(tensor.shape[:40])}"
            continue
        size = math.prod(tensor.shape)
        total += size
        if total > MOST:
            unread[name] = f"beyond {MOST:,} numbers"
            continue
        wanted = request | {"wanted": [[tensor.file, tensor.number]]}
        values = _asked(session, wanted, np.zeros(size, np.float32))
        found[name] = values.reshape(tensor.shape)
    return Weights(found, unread)


def _asked(session: Session, request: dict[str, Any], blank: NDArray[Any]) -> NDArray[Any]:
    [reply] = session.predict([request], [blank])
    if not isinstance(reply.prediction, np.ndarray):
        raise SubmissionError(reply.verdict or "", reply.message)
    return reply.prediction
