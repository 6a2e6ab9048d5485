"""A YAML file whose every part knows its line, and the mistakes in a file, told all at once.

Whoever checks a part of a file raises Misplaced with all that is wrong in it, by keys below that part; the file knows
the lines.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from earmark.errors import InstructorError, unknown_name

Keys = tuple[str | int, ...]


class Misplaced(ValueError):  # noqa: N818 - it is what is wrong in a part, and becomes an error of the whole file
    """What is wrong in a part of a file: for each mistake the keys below that part, and what is said of it."""

    def __init__(self, *mistakes: tuple[Keys, str]) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(said for _, said in mistakes))


class Mistakes:
    """What is wrong in one file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._found: set[tuple[int, str]] = set()

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, line: int, said: str) -> None:
        """Note a mistake in a line, counted from 1."""
        self._found.add((line, said if said.endswith((".", "?")) else f"{said}."))

    def raise_any(self, *others: "Mistakes") -> None:
        """Raise InstructorError with all mistakes of this file and of others, by line; nothing where there are none."""
        told = [each._told() for each in (self, *others) if each]  # noqa: SLF001 - its own class
        if told:
            raise InstructorError("\n".join(told))

    def _told(self) -> str:
        lines = [f"line {line}: {said}" for line, said in sorted(self._found)]
        if len(lines) == 1:
            return f"{self.file}: {lines[0]}"
        return "\n  ".join([f"{self.file} has {len(lines)} mistakes:", *lines])


@dataclass(frozen=True)
class Located:
    """What a YAML file says, a mapping, and where."""

    content: Mapping[Any, Any]
    mistakes: Mistakes
    _root: yaml.Node | None

    def line(self, keys: Keys) -> int:
        """The line in which a part stands, or what holds it where it is not there."""
        node, line = self._root, 1
        for key in keys:
            found = [pair for pair in _children(node) if str(pair[0]) == str(key)]
            if not found:
                break
            _, line, node = found[-1]
        return line

    def add(self, keys: Keys, error: Exception) -> None:
        """Note what is wrong in the part under these keys."""
        for below, said in _mistakes(error):
            place = ".".join(str(key) for key in (*keys, *below))
            self.mistakes.add(self.line((*keys, *below)), f"{place}: {said}" if place else said)


class Part(BaseModel):
    """A part of a file. A key with nothing after it is as one that is not there."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, said: Any) -> Any:
        return (
            {key: value for key, value in said.items() if value is not None}
            if isinstance(said, dict)
            else said
        )

    @classmethod
    def check(cls, said: Any, what: str = "key", **context: Any) -> Self:
        """A part of a file as this model; `what` a wrong key is called. Raises Misplaced with all that is wrong."""
        try:
            return cls.model_validate(said, context=context)
        except ValidationError as error:
            raise misplaced(error, cls, what) from None


def read(file: Path) -> Located:
    """Read a file of YAML; an empty mapping where there is none.

    Keys that are there twice are noted. Raises InstructorError where it is no YAML, or no mapping.
    """
    mistakes = Mistakes(file)
    try:
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8-sig"))
        root = loader.get_single_node()
        _find_doubled(root, mistakes)
        content = loader.construct_document(root) if root else {}
    except FileNotFoundError:
        return Located({}, mistakes, None)
    except (yaml.YAMLError, ValueError) as error:
        raise InstructorError(f"{file} is not YAML: {error}") from None
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise InstructorError(
            f"{file}: lines like 'key: value' were expected, got a {type(content).__name__}."
        )
    return Located(content, mistakes, root)


def misplaced(error: ValidationError, model: Any, what: str = "key") -> Misplaced:
    """What pydantic found wrong in a part, in words; `model` knows the keys that there are."""
    mistakes: list[tuple[Keys, str]] = []
    for fault in error.errors():
        keys = tuple(key for key in fault["loc"] if key != "[key]")
        cause = fault.get("ctx", {}).get("error")
        if fault["type"] == "missing":
            said = [(keys, "is missing")]
        elif fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            said = [(keys, str(unknown_name(what, str(keys[-1]), _names(model, keys))))]
        elif fault["type"] in ("dict_type", "model_type", "dataclass_type"):
            said = [(keys, f"lines like 'key: value' were expected under it, got {fault['input']!r}")]
        elif isinstance(cause, ValueError):
            said = [((*keys, *below), each) for below, each in _mistakes(cause)]
        else:
            said = [(keys, f"{fault['msg']}, got {fault['input']!r}")]
        mistakes += said
    return Misplaced(*mistakes)


def _mistakes(error: Exception) -> Sequence[tuple[Keys, str]]:
    return error.mistakes if isinstance(error, Misplaced) else [((), str(error))]


def _names(model: Any, keys: Keys) -> Iterable[str]:
    """The names of the fields beside the one under these keys."""
    for key in keys[:-1]:
        model = _below(model, key)
    models = [each for each in (model, *get_args(model)) if isinstance(each, type)]
    return next((each.model_fields for each in models if issubclass(each, BaseModel)), ())


def _below(annotation: Any, key: str | int) -> Any:
    """The type of what is under a key, of a type as it is annotated."""
    for each in (annotation, *get_args(annotation)):
        if get_origin(each) in (dict, list):
            return get_args(each)[-1]
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each.model_fields[str(key)].annotation
    return None


def _children(node: yaml.Node | None) -> list[tuple[Any, int, yaml.Node]]:
    """What a node holds: key, line and node of each."""
    if isinstance(node, yaml.MappingNode):
        pairs = node.value
        return [(_key(key), key.start_mark.line + 1, value) for key, value in pairs]
    if isinstance(node, yaml.SequenceNode):
        return [(place, each.start_mark.line + 1, each) for place, each in enumerate(node.value)]
    return []


def _key(node: yaml.Node) -> Any:
    """A key as Python has it: 0.80 and 0.8 are one number."""
    try:
        return yaml.SafeLoader("").construct_object(node) if isinstance(node, yaml.ScalarNode) else None
    except yaml.YAMLError:  # <<, of which there may be several
        return node.value


def _find_doubled(root: yaml.Node | None, mistakes: Mistakes) -> None:
    """Note every key that a mapping has twice: YAML would take the last one and say nothing."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        first: dict[Any, int] = {}
        for key, line, child in _children(node):
            waiting.append(child)
            if isinstance(node, yaml.MappingNode) and key in first and key != "<<":
                mistakes.add(line, f"there is a second {key!r} here; the first is in line {first[key]}")
            first.setdefault(key, line)
