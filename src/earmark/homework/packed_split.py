"""A hidden split as a folder of its own: its clips' files and rows, and nothing of other splits or of the seed."""

import shutil
from pathlib import Path

from earmark.clip import Split
from earmark.errors import InstructorError
from earmark.manifest import listed
from earmark.parts import Division
from earmark.rendering import write_names
from earmark.tables import read_table
from earmark.task import Task


def pack_split(task: Task, split: Split, folder: Path, division: Division | None = None) -> int:
    """Write the split, of a divided one the public part, into a new folder; how many clips it has.

    The digest of the copy is that of the split, so that their runs compare. Raises InstructorError where the split has
    no manifest of its own, or its answers stand in packages that a submission sees.
    """
    if split.sources:
        raise InstructorError(
            f"The answers of this split stand in {split.sources[0]}, which every submission would have beside it in "
            "Gradescope's container. Record clips of your own, or use --public."
        )
    if not (split.folder / "manifest.csv").is_file():
        raise InstructorError(
            f"{split.folder} has no manifest.csv, so that its test split can't be taken out of it: earmark data make "
            "--perturb --hidden FOLDER writes one, and the assignment's data can name it."
        )
    wanted = {clip.id for clip in split.clips if division is None or division.part_of(clip) == "public"}
    folder.mkdir(mode=0o700)
    for row in listed(split.folder):
        for file in {row.path, *task.files(row)} if row.id in wanted else ():
            copy = folder / file.relative_to(split.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    table = read_table(split.folder / "manifest.csv")
    table["split"] = split.name  # which a part of the rows would no longer tell
    table[table["id"].isin(wanted)].to_csv(folder / "manifest.csv", index=False)
    write_names(folder, split.names)
    return len(wanted)
