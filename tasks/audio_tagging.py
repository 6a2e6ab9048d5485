"""Audio tagging: what sounds in a recording, several things at once.

`predict(audio, sr, tags)`
    audio: float32 (n_samples,) in [-1, 1], mono
    sr: int, Hz, the same for all clips of a data set
    tags: list of str, the tags' names; an answer follows their order
    returns float32 (n_tags,), a score for each tag: only the order of clips under each tag counts for the
    headline, so that scores need not be probabilities

Scored by mAP, the macro average over tags of average precision: the mean, over the clips that have the tag,
of the precision among the clips scored at least as high (scikit-learn's `average_precision_score`; the
headline of AudioSet and FSD50K: J. Gemmeke et al., ICASSP 2017; E. Fonseca et al., TASLP 2022). A tag that
no clip has is left out.

Also reported: lwlrap, label-weighted label-ranking average precision (E. Fonseca et al., "Audio tagging
with noisy labels and minimal supervision", DCASE 2019), macro ROC-AUC, MAP@3 (FSDKaggle2018), and average
precision of each tag; accuracy, the share of clips whose highest-scored tag is one of theirs (ESC-50).

Partial labels: `?` among a row's tags says that whether the others hold is not known, and `-name` that this one
is known not to, as in `guitar;-flute;?`. Only the pairs of clip and tag that are known are scored. Its target is
then float32 with NaN where nothing is known.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from earmark.clip import Inputs
from earmark.errors import InstructorError
from earmark.manifest import Row
from earmark.scoring import tagging
from earmark.task import Headline, Names, Task

UNKNOWN = "?"


def inputs(row: Row) -> Inputs:
    """The recording mixed down, and its sample rate."""
    return {"audio": row.mono(), "sr": row.sr}


def names_in(row: Row) -> list[str]:
    """The tags that the row mentions, be it to say that they don't hold."""
    return [tag.removeprefix("-") for tag in row.tags() if tag != UNKNOWN]


def target(row: Row, names: Names) -> NDArray[np.bool_] | NDArray[np.float32]:
    """Which tags the clip has: bool (n_tags,), or float32 with 1, 0 and NaN where the row has a `?`.

    Raises InstructorError for a tag that is said to hold and not to hold.
    """
    tags = row.tags()
    has, lacks = np.isin(names, tags), np.isin([f"-{name}" for name in names], tags)
    if (has & lacks).any():
        name = names[int((has & lacks).argmax())]
        raise InstructorError(f"Clip {row.id!r}: its labels have both {name!r} and '-{name}'.")
    if UNKNOWN not in tags:
        return has
    return np.where(has | lacks, has, np.nan).astype(np.float32)


def files(row: Row) -> list[Path]:
    """The recording."""
    return [row.path]


def blank(audio: NDArray[np.float32], sr: int, tags: list[str]) -> NDArray[np.float32]:  # noqa: ARG001
    """Every tag alike: the average precision of each is the share of clips that have it."""
    return np.zeros(len(tags), dtype=np.float32)


TASK = Task(
    title="Say what sounds in a recording",
    dataset="rendered_scenes",
    names_as="tags",
    names_in=names_in,
    inputs=inputs,
    target=target,
    files=files,
    blank=blank,
    score_clip=tagging.score_clip,
    headline=Headline(tagging.HEADLINE, tagging.mean_average_precision),
    summarise=tagging.summarise,
    metrics=tagging.METRICS,
    columns="path: the recording. labels: its tags, parted by semicolons, as in dog_bark;rain. "
    "Where not every tag was asked for: ? for what is not known, -name for what is known to be absent.",
)
