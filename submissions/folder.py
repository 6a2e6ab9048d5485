"""A submission's folder as handed in: opened, checked and hashed, and nothing in it run or unpickled."""

import difflib
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from earmark.submissions.errors import SubmissionError, refused
from earmark.submissions.limits import Limits

DECLARATION = "submission.yaml"
MAX_FILES = 10_000
MAX_FOLDERS_DEEP = 32
MAX_DECLARATION_BYTES = 64 << 10
MAX_DEPTH = 8
OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
WEIGHTS = frozenset({
    ".safetensors", ".npz", ".npy", ".skops", ".onnx", ".h5", ".hdf5", ".keras",
    ".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".joblib",
})  # fmt: skip
"""Suffixes of files that count as weights; all others are code."""
SKIPPED = frozenset({"__pycache__", ".git", ".github", ".hg", ".svn"})
"""Folders that are no part of a submission: neither hashed nor kept nor run."""
STEERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of the text around them."""
EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", re.ASCII)


@dataclass(frozen=True)
class Submission:
    """A folder that can be run."""

    path: Path
    name: str
    title: str
    authors: tuple[str, ...]
    team: str
    task: str | None
    external_data: tuple[str, ...]
    """Data sets it was trained on beside the task's, as declared."""
    pretrained: tuple[str, ...]
    """Weights of others that it builds on, as declared."""
    from_scratch: bool | None
    """Whether it was trained from scratch, as declared; None where nothing is said."""
    valid_score: float | None
    """What it is said to score on the validation split; None where nothing is said."""
    code_hash: str
    """SHA-256 over the names and contents of all files but weights."""
    weights_hash: str
    bytes: int


def plain(text: str) -> str:
    """The text itself; ValueError if it could trip a terminal or a page."""
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in STEERING for c in text):
        raise ValueError("has control characters, line breaks or characters that turn the text's direction")
    return text.strip()


def exponent(value: object) -> object:
    """The number that a text such as 6e-1 is, which YAML 1.1 takes for a text without a point; else the value."""
    return float(value) if isinstance(value, str) and EXPONENT.fullmatch(value) else value


Short = Annotated[str, Field(max_length=100), AfterValidator(plain)]
Line = Annotated[str, Field(max_length=300), AfterValidator(plain)]


class Declaration(BaseModel):
    """What submission.yaml may say."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    task: Short | None = None
    title: Line = ""
    authors: Annotated[list[Short], Field(max_length=50)] = []
    team: Short = ""
    external_data: Annotated[list[Line], Field(max_length=50)] = []
    pretrained: Annotated[list[Line], Field(max_length=50)] = []
    from_scratch: bool | None = None
    valid_score: Annotated[float | None, BeforeValidator(exponent), Field(allow_inf_nan=False)] = None


def checked_files(path: Path, *, max_bytes: int) -> list[Path]:
    """All files of a submission's folder, sorted, without reading them; raises as open_submission does."""
    if not path.is_dir():
        raise refused(f"{path} is {'a file' if path.exists() else 'not there'}; a folder was expected.")
    files = _files(path)
    if not files:
        raise refused("the folder is empty; a predict.py was expected in it.")
    size = sum(file.stat().st_size for file in files)
    if size > max_bytes:
        raise SubmissionError(
            "too large",
            f"the folder takes {size / 1e6:.1f} MB, {max_bytes / 1e6:.1f} MB are allowed. The largest is "
            f"{max(files, key=lambda file: file.stat().st_size).relative_to(path)}: leave out training data "
            "and checkpoints.",
        )
    if path / "predict.py" not in files:
        raise refused(f"the folder has no predict.py. {_nearest_to_predict(path, files)}")
    return files


def open_submission(path: Path, *, max_bytes: int) -> Submission:
    """Check a submission's folder and read what it declares.

    Raises SubmissionError: "too large" above `max_bytes` or MAX_FILES, else "refused" with the reason.
    """
    path = path.resolve()
    files = checked_files(path, max_bytes=max_bytes)
    declared = read_declaration(path / DECLARATION) if path / DECLARATION in files else Declaration()
    weights = [file for file in files if file.suffix.lower() in WEIGHTS]
    return Submission(
        path=path,
        name=path.name,
        title=declared.title,
        authors=tuple(declared.authors),
        team=declared.team,
        task=declared.task,
        external_data=tuple(declared.external_data),
        pretrained=tuple(declared.pretrained),
        from_scratch=declared.from_scratch,
        valid_score=declared.valid_score,
        code_hash=_hash(path, [file for file in files if file not in set(weights)]),
        weights_hash=_hash(path, weights),
        bytes=sum(file.stat().st_size for file in files),
    )


def check_origin(submission: Submission, limits: Limits) -> None:
    """Raise SubmissionError ("refused") where it builds on others' weights, or may, and must not."""
    if limits.pretrained:
        return
    if submission.pretrained:
        raise refused(
            f"{DECLARATION} declares pretrained weights ({', '.join(submission.pretrained)}); here models must be "
            "trained from scratch."
        )
    if not submission.from_scratch:
        raise refused(
            f"here models must be trained from scratch, and {DECLARATION} must say `from_scratch: true`."
        )


def _files(folder: Path) -> list[Path]:
    """All files, sorted; SubmissionError for links, devices, pipes and sockets, and for what can't be read."""
    files = []
    for place, entry in entries(folder):
        said = place.relative_to(folder)
        if not entry.name.isprintable():
            raise refused(f"the name {entry.name!a} has characters that can't be shown; rename it.")
        if entry.is_symlink():
            raise refused(f"{said} is a link; put the file itself there.")
        if entry.is_file():
            files.append(place)
        elif not entry.is_dir():
            raise refused(f"{said} is a device, pipe or socket, not a file.")
    return sorted(files)


def entries(folder: Path) -> Iterator[tuple[Path, os.DirEntry[str]]]:
    """All that lies in a submission's folder, however deep, but for what is in SKIPPED; no link is followed.

    Raises SubmissionError for too much of it, for folders that are too deep, and for one that can't be read.
    """
    waiting, seen = [(folder, 0)], 0
    while waiting:
        top, depth = waiting.pop()
        if depth > MAX_FOLDERS_DEEP:
            raise refused(f"folders lie in one another more than {MAX_FOLDERS_DEEP} deep; flatten them.")
        try:
            with os.scandir(top) as found:
                listed = list(islice(found, MAX_FILES + 1 - seen))
        except OSError as error:
            name = top.relative_to(folder)
            raise refused(f"the folder {name} can't be read: {error.strerror}.") from None
        seen += len(listed)
        if seen > MAX_FILES:
            raise SubmissionError("too large", f"the folder has more than {MAX_FILES} files.")
        for entry in listed:
            if not entry.is_dir(follow_symlinks=False):
                yield Path(entry.path), entry
            elif entry.name not in SKIPPED:
                yield Path(entry.path), entry
                waiting.append((Path(entry.path), depth + 1))


def _nearest_to_predict(folder: Path, files: list[Path]) -> str:
    deeper = [file for file in files if file.name == "predict.py"]
    if deeper:
        return f"There is one in {deeper[0].parent.relative_to(folder)}/: hand in that folder."
    names = [file.name for file in files if file.parent == folder]
    near = difflib.get_close_matches("predict.py", names, n=1, cutoff=0.6)
    found = f"Found: {', '.join(names[:5]) or 'folders only'}."
    return f"Did you mean {near[0]}? {found}" if near else found


def _hash(folder: Path, files: list[Path]) -> str:
    """SHA-256 over each file's name and content. Empty for no file."""
    if not files:
        return ""
    sha = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").digest()
        name = os.fsencode(file.relative_to(folder))
        sha.update(len(name).to_bytes(8, "little") + name + content)
    return sha.hexdigest()


def read_declaration(file: Path) -> Declaration:
    """Parse a submission.yaml. Raises SubmissionError ("refused") that names every mistake."""
    if file.stat().st_size > MAX_DECLARATION_BYTES:
        raise refused(f"{DECLARATION} is larger than {MAX_DECLARATION_BYTES >> 10} KiB.")
    try:
        text = file.read_text(encoding="utf-8-sig")
        _check_tokens(text)
        content: Any = yaml.safe_load(text)
    except UnicodeDecodeError:
        raise refused(f"{DECLARATION} is not in UTF-8: save it in that encoding.") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise refused(f"{DECLARATION} is not YAML: {str(error)[:300]}") from None
    if not isinstance(content, dict | None):
        raise refused(f"{DECLARATION} holds a {type(content).__name__}; lines like 'title: …' were expected.")
    try:
        return Declaration.model_validate(content or {})
    except ValidationError as error:
        faults = "; ".join(_fault(dict(each)) for each in error.errors()[:5])
        raise refused(f"{DECLARATION}: {faults}.") from None


def _check_tokens(text: str) -> None:
    """Refuse what makes a small YAML file take long or much memory: aliases, deep nesting; and tags, which break it."""
    depth = 0
    for token in yaml.scan(text):
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
        if depth > MAX_DEPTH:
            raise refused(f"{DECLARATION} is not YAML as we know it: it is nested too deeply.")
        if isinstance(token, yaml.AliasToken):
            raise refused(f"{DECLARATION} uses an alias (*name); write the value out.")
        if isinstance(token, yaml.TagToken):
            raise refused(
                f"{DECLARATION} is not YAML as we know it: it has a tag (!name); write the value alone."
            )


def _fault(error: dict[str, Any]) -> str:
    """One of pydantic's errors in a few words."""
    place = ".".join(str(part)[:60] for part in error["loc"])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, Declaration.model_fields, n=1, cutoff=0.5)
        hint = f", did you mean {near[0]!r}?" if near else ""
        return f"unknown key {place!a}{hint} (known: {', '.join(Declaration.model_fields)})"
    return f"{place!a}: {error['msg']}, got {type(error['input']).__name__}"
