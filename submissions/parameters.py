"""How many parameters a submission has: told of each run, and limited by some courses.

Counted are the numbers in its weights, at least one for each four bytes of them. A file of weights that can't be
counted without running code that it brings along (pickles, HDF5, ONNX) counts as one parameter for each four bytes.
So that weights can't hide, what lies in other files (code, a report, a table of numbers in a text) or in names counts
alike, beyond the first MiB of all of them together.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from earmark.submissions import counting
from earmark.submissions.binds import Bind
from earmark.submissions.errors import OurFault, SubmissionError
from earmark.submissions.folder import WEIGHTS, Submission, checked_files
from earmark.submissions.limits import Limits
from earmark.submissions.sandbox import Isolation
from earmark.submissions.session import Session

FREE_BYTES = 1 << 20
BYTES_EACH = 4
FILES_AT_ONCE = 500


def check_parameters(submission: Submission, limits: Limits, isolation: Isolation) -> int | None:
    """How many parameters a kept submission has; None where nobody limits them and they can't be counted.

    Raises SubmissionError ("too large") where it has more than are allowed.
    """
    try:
        return _within(submission, limits, isolation)
    except (SubmissionError, OurFault):
        if limits.parameters is None:
            return None
        raise


def _within(submission: Submission, limits: Limits, isolation: Isolation) -> int:
    files = checked_files(submission.path, max_bytes=submission.bytes)
    names = [str(file.relative_to(submission.path)) for file in files]
    sizes = np.array([file.stat().st_size for file in files])
    numbers, taken = _counted(submission, names, limits, isolation).T
    each = np.maximum(numbers, taken // BYTES_EACH)
    uncounted = (taken == 0) & [Path(name).suffix.lower() in WEIGHTS for name in names]
    each[uncounted] = sizes[uncounted] // BYTES_EACH
    other = np.where(uncounted, 0, np.maximum(0, sizes - taken)) + [len(name.encode()) for name in names]
    total = int(each.sum() + max(0, other.sum() - FREE_BYTES) // BYTES_EACH)
    if limits.parameters is not None and total > limits.parameters:
        largest = int(np.argmax(each + other // BYTES_EACH))
        raise SubmissionError(
            "too large",
            f"{total:,} parameters; {limits.parameters:,} are allowed. Most are in {names[largest]}. Counted are "
            "numbers in .safetensors, .npz, .npy, .skops and state_dicts (.pt), an optimizer's state too; other "
            "weights count as a parameter for each 4 bytes, other files so beyond 1 MiB of them.",
        )
    return total


def _counted(
    submission: Submission, names: list[str], limits: Limits, isolation: Isolation
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """(n_files, 2): numbers in each file and the bytes they take, counted in a sandbox; 0, 0 where unknown."""
    found = np.zeros((len(names), 2), np.int64)
    asked = [i for i, name in enumerate(names) if Path(name).suffix.lower() in counting.COUNTS]
    if not asked:
        return found
    with tempfile.TemporaryDirectory(prefix="earmark-count-") as folder:
        Path(folder, "predict.py").write_text(Path(counting.__file__).read_text(encoding="utf-8"))
        Path(folder).chmod(0o755)
        where = str(counting.WEIGHTS if isolation == "bubblewrap" else submission.path)
        with Session(
            Path(folder),
            limits=replace(limits, clip_seconds=limits.startup_seconds),
            isolation=isolation,
            also=[Bind(submission.path, counting.WEIGHTS)],
        ) as session:
            for start in range(0, len(asked), FILES_AT_ONCE):
                part = asked[start : start + FILES_AT_ONCE]
                request = {"folder": where, "names": [names[i] for i in part]}
                [reply] = session.predict([request], [found[part]])
                if not isinstance(reply.prediction, np.ndarray):  # only the files differ between submissions
                    said = f"while its parameters were counted: {reply.message}"
                    raise SubmissionError(reply.verdict or "", said)
                found[part] = reply.prediction
    return found
