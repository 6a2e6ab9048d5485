"""Getting a public set from a server that drops connections, corrupts bytes, and worse."""

import errno
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress
from serving import Server, serving

from earmark import downloading
from earmark.downloading import part_of
from earmark.errors import InstructorError, OurFault
from earmark.fetching import fetch
from earmark.published import Archive, Part, PublicSet

NOISE = hashlib.shake_128(b"noise").digest(300_000)
FILES = {"index.csv": b"id,label\n", "train/Zoë's song.wav": NOISE, "test/b.wav": b"RIFF"}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as it:
        yield it


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr(downloading, "WAIT_SECONDS", 0.001)
    monkeypatch.setattr(downloading, "CHUNK_BYTES", 1000)
    monkeypatch.delenv("EARMARK_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")


def zipped(files: dict[str, bytes], around: str = "") -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(around + name, content)
    return memory.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return memory.getvalue()


def made_of(server: Server, *, checksums: bool = True, access: str = "", **archives: bytes) -> PublicSet:
    """A set with parts train and test in these archives, whose names have dots as __."""
    server.files |= {name.replace("__", "."): content for name, content in archives.items()}
    return PublicSet(
        title="Toy sounds",
        task="loudness",
        licence="CC0",
        citation="",
        homepage="http://example.org",
        hours=0.1,
        parts={name: Part(1, f"{name}/*.wav") for name in ("train", "test")},
        rows=lambda root, part: [],
        archives=[
            Archive(
                server.url(file.replace("__", ".")),
                f"md5:{hashlib.md5(content).hexdigest()}" if checksums else "",
                len(content),
            )
            for file, content in archives.items()
        ],
        access=access,
    )


@dataclass
class Getting:
    folder: Path
    said: io.StringIO = field(default_factory=io.StringIO)

    def __call__(self, public: PublicSet, **options) -> None:
        console = Console(file=self.said, width=200)
        with Progress(console=console, disable=True) as progress:
            fetch("toy", public, self.folder, progress=progress, **options)

    @property
    def work(self) -> Path:
        return self.folder.parent / ".toy.getting"

    def part(self, url: str) -> Path:
        return part_of(self.work / "archives" / Path(url).name, url)

    def is_whole(self) -> bool:
        """Exactly the files of the set are there, and nothing is left beside it."""
        found = {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }
        return found == FILES and not self.work.exists()


@pytest.fixture
def get(tmp_path) -> Getting:
    return Getting(tmp_path / "public sets" / "toy")


@pytest.mark.parametrize(
    "archives",
    [
        {"toy__zip": zipped(FILES)},
        {"toy__tar__gz": tarred(FILES)},
        {"toy__tar": tarred(FILES, "w:")},
        {"toy__tar__bz2": tarred(FILES, "w:bz2")},
        {"toy-master__zip": zipped(FILES, around="toy-master/a/")},
        {"audio__zip": zipped(dict(list(FILES.items())[1:])), "index__csv": FILES["index.csv"]},
        {"toy__zip__001": zipped(FILES)[:700], "toy__zip__002": zipped(FILES)[700:]},
    ],
    ids=" ".join,
)
def test_what_publishers_pack_becomes_the_folder_of_the_set(server, get, archives):
    get(made_of(server, **archives))
    assert get.is_whole()


def test_an_archive_goes_into_the_folder_that_is_declared(server, get):
    public = made_of(server, audio__zip=zipped({"a.wav": b""}), test__zip=zipped({"test/b.wav": b""}))
    archives = [replace(public.archives[0], into="train"), public.archives[1]]
    get(replace(public, archives=archives))
    assert {path.relative_to(get.folder).as_posix() for path in get.folder.rglob("*.wav")} == {
        "train/a.wav",
        "test/b.wav",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "cp437"])
def test_names_in_a_zip_that_does_not_say_their_encoding(server, get, monkeypatch, encoding):
    with monkeypatch.context() as patch:
        patch.setattr(
            zipfile.ZipInfo,
            "_encodeFilenameFlags",
            lambda info: (info.filename.encode(encoding), info.flag_bits),
        )
        archive = zipped(FILES)
    get(made_of(server, toy__zip=archive))
    assert get.is_whole()


@pytest.mark.skipif(shutil.which("zip") is None, reason="needs Info-ZIP")
def test_a_zip_in_volumes_is_joined(server, get, tmp_path):
    whole = tmp_path / "whole.zip"
    whole.write_bytes(zipped(FILES))
    subprocess.run(["zip", "-q", "-s", "100k", whole, "--out", tmp_path / "toy.zip"], check=True)
    volumes = {path.name.replace(".", "__"): path.read_bytes() for path in tmp_path.glob("toy.z*")}
    assert len(volumes) > 2
    get(made_of(server, **volumes))
    assert get.is_whole()


def test_without_zip_the_volumes_are_kept_and_the_tool_is_named(server, get, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InstructorError, match="apt-get install zip"):
        get(made_of(server, toy__z01=b"abc", toy__zip=b"def"))
    assert {path.name for path in (get.work / "archives").iterdir()} == {"toy.z01", "toy.zip"}


def test_a_dropped_connection_is_continued_where_it_broke(server, get):
    server.drop_after = [1000, 50_000, 0, 0, 100]
    get(made_of(server, toy__zip=zipped(FILES)))
    assert get.is_whole()
    assert [wanted for _, wanted in server.asked] == [
        "",
        *[f"bytes={at}-" for at in (1000, *[51_000] * 3, 51_100)],
    ]


def test_a_server_without_ranges_starts_over_and_it_is_said(server, get):
    server.ranges, server.drop_after = False, [1000, 2000]
    get(made_of(server, toy__zip=zipped(FILES)))
    assert get.is_whole()
    assert "starting over" in get.said.getvalue()


@pytest.mark.parametrize("tag", ["", '"one"', 'W/"one"'])
def test_a_file_that_changed_meanwhile_is_not_patched_together(server, get, tag):
    server.tag = tag
    public = made_of(server, checksums=False, toy__zip=zipped({**FILES, "train/Zoë's song.wav": NOISE[::-1]}))
    server.drop_after = [100_000] + [0] * downloading.TRIES
    with pytest.raises(InstructorError, match="What has come is kept"):
        get(public)
    assert get.part(public.archives[0].url).stat().st_size == 100_000
    server.files["toy.zip"] = zipped(FILES) if tag.startswith('"') else zipped(FILES | {"more.txt": b""})
    server.tag = tag.replace("one", "two")
    get(public)
    assert (get.folder / "train" / "Zoë's song.wav").read_bytes() == NOISE


def test_a_corrupted_download_is_thrown_away_and_the_next_command_gets_it(server, get):
    server.damaged = 1
    public = made_of(server, toy__zip=zipped(FILES))
    with pytest.raises(OurFault, match=r"has not the checksum md5:.*thrown away"):
        get(public)
    assert list((get.work / "archives").iterdir()) == []
    assert not get.folder.exists()
    get(public)
    assert get.is_whole()


def test_a_file_too_short_by_its_checksum_is_thrown_away(server, get):
    server.cut = 10
    with pytest.raises(OurFault, match="has not the checksum"):
        get(made_of(server, toy__zip=zipped(FILES)))


@pytest.mark.parametrize(("file", "pack"), [("toy__zip", zipped), ("toy__tar__gz", tarred)])
def test_a_file_too_short_without_checksum_does_not_unpack_and_is_got_anew(server, get, file, pack):
    public = made_of(server, checksums=False, **{file: pack(FILES)})
    server.cut = 10
    with pytest.raises(OurFault, match="is damaged, or no archive at all"):
        get(public)
    assert not get.folder.exists()
    server.cut = 0
    get(public)
    assert get.is_whole()
    assert "no checksum is published" in get.said.getvalue()


def test_the_mirror_is_asked_first_and_the_publisher_when_it_has_another_file(server, get, monkeypatch):
    monkeypatch.setenv("EARMARK_MIRROR", server.url("mirror"))
    server.files["mirror/toy/toy.zip"] = b"something else"
    get(made_of(server, toy__zip=zipped(FILES)))
    assert [path for path, _ in server.asked] == ["/mirror/toy/toy.zip", "/toy.zip"]
    assert get.is_whole()


def test_kept_archives_are_a_mirror_in_a_folder(server, get, tmp_path, monkeypatch):
    disk = tmp_path / "a disk"
    public = made_of(server, toy__zip=zipped(FILES))
    get(public, keep=disk)
    assert (disk / "toy" / "toy.zip").is_file()
    shutil.rmtree(get.folder)
    server.asked.clear()
    monkeypatch.setenv("EARMARK_MIRROR", str(disk))
    get(public)
    assert get.is_whole()
    assert server.asked == []


@pytest.mark.parametrize("state", [404, 403])
def test_a_refusal_is_told_at_once(server, get, state):
    server.states = [state]
    with pytest.raises(OurFault, match=rf"toy\.zip: the server answers {state} \("):
        get(made_of(server, toy__zip=zipped(FILES)))
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again_but_not_for_ever(server, get):
    public = made_of(server, toy__zip=zipped(FILES))
    server.states = [503] * downloading.TRIES
    with pytest.raises(OurFault, match="503"):
        get(public)
    server.states = [503, 429]
    get(public)
    assert get.is_whole()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:9/toy.zip", "Connection refused.*Is this machine online"),
        ("http://nowhere.invalid/toy.zip", "Failed to resolve.*Is this machine online"),
        ("htp://nowhere/toy.zip", "is no address"),
    ],
)
def test_an_address_that_leads_nowhere_is_the_typists(get, url, message, server):
    public = made_of(server, toy__zip=b"")
    with pytest.raises(InstructorError, match=message):
        get(replace(public, archives=[Archive(url, "", 1)]))


def test_without_room_nothing_is_downloaded(server, get, monkeypatch):
    archive = zipped(FILES)
    usage = shutil.disk_usage(get.folder.parent.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 * len(archive) - 1))
    with pytest.raises(InstructorError, match="need some"):
        get(made_of(server, toy__zip=archive))
    assert server.asked == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2 * len(archive)))
    get(made_of(server, toy__zip=archive))


class FullDisk(io.FileIO):
    def write(self, chunk) -> int:
        if self.tell() > 50_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(chunk)


def full_disk(monkeypatch, suffix: str):
    """A disk that is full for files of this suffix, until the function that is returned is called."""
    plain = Path.open

    def opened(path, mode="r", *arguments, **options):
        if path.suffix == suffix and mode == "ab":
            return FullDisk(path, mode)
        return plain(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", opened)
    return lambda: monkeypatch.setattr(Path, "open", plain)


def test_a_disk_that_fills_up_loses_nothing(server, get, monkeypatch):
    public = made_of(server, toy__zip=zipped(FILES))
    empty = full_disk(monkeypatch, ".part")
    with pytest.raises(InstructorError, match=r"is full.*same command"):
        get(public)
    have = get.part(public.archives[0].url).stat().st_size
    assert have > 50_000
    empty()
    get(public)
    assert get.is_whole()
    assert server.asked[-1] == ("/toy.zip", f"bytes={have}-")


def test_a_disk_that_fills_up_while_unpacking_loses_nothing(server, get, monkeypatch):
    public = made_of(server, toy__zip=zipped(FILES))
    plain = zipfile.ZipFile.extract

    def extract(archive, member, to):
        if member.filename.startswith("test"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain(archive, member, to)

    monkeypatch.setattr(zipfile.ZipFile, "extract", extract)
    with pytest.raises(InstructorError, match="is full"):
        get(public)
    assert not get.folder.exists()
    monkeypatch.setattr(zipfile.ZipFile, "extract", plain)
    get(public)
    assert get.is_whole()
    assert len(server.asked) == 1


def test_an_archive_that_was_unpacked_whole_is_not_downloaded_again(server, get):
    first, second = dict(list(FILES.items())[:2]), dict(list(FILES.items())[2:])
    public = made_of(server, first__zip=zipped(first), second__zip=zipped(second))
    server.states = [0, 404]
    with pytest.raises(OurFault):
        get(public)
    assert len(json.loads((get.work / "unpacked.json").read_text())) == 1
    get(public)
    assert get.is_whole()
    assert [path for path, _ in server.asked] == ["/first.zip", "/second.zip", "/second.zip"]


def test_a_half_unpacked_archive_is_unpacked_again(server, get):
    public = made_of(server, toy__zip=zipped(FILES))
    for name in ("train/Zoë's song.wav", "test/b.wav"):  # as a killed process leaves them
        (get.work / "unpacked" / name).parent.mkdir(parents=True)
        (get.work / "unpacked" / name).write_bytes(b"RI")
    get(public)
    assert get.is_whole()


@pytest.mark.parametrize("name", ["../out.wav", "a/../../out.wav"])
@pytest.mark.parametrize(("file", "pack"), [("toy__zip", zipped), ("toy__tar__gz", tarred)])
def test_names_that_lead_out_of_the_folder_are_refused(server, get, name, file, pack):
    with pytest.raises(OurFault, match=r"is not unpacked.*out\.wav"):
        get(made_of(server, **{file: pack({name: b"x", **FILES})}))
    assert not list(get.folder.parent.parent.rglob("out.wav"))


@pytest.mark.parametrize(("file", "pack"), [("toy__zip", zipped), ("toy__tar__gz", tarred)])
def test_absolute_names_stay_in_the_folder(server, get, tmp_path, file, pack):
    out = tmp_path / "out.wav"
    get(made_of(server, **{file: pack({str(out): b"x", **FILES})}))
    assert not out.exists()
    assert len(list(get.folder.rglob("out.wav"))) == 1


def test_archives_that_hold_something_else_are_told(server, get):
    with pytest.raises(OurFault, match="no folder in it holds test"):
        get(made_of(server, toy__zip=zipped({"train/a.wav": b""})))
    assert not get.folder.exists()


def test_what_is_here_is_not_got_again_and_another_folder_is_not_touched(server, get):
    public = made_of(server, toy__zip=zipped(FILES))
    (get.folder / "train").mkdir(parents=True)
    (get.folder / "train" / "a.wav").touch()
    with pytest.raises(InstructorError, match="holds train; toy has train, test"):
        get(public)
    (get.folder / "test").mkdir()
    (get.folder / "test" / "a.wav").touch()
    get(public)
    assert server.asked == []


def test_what_needs_a_form_is_told_with_the_folder(server, get):
    with pytest.raises(InstructorError, match=r"Fill in the form\..*expected at .*toy"):
        get(made_of(server, access="Fill in the form.", toy__zip=b""))
    assert server.asked == []


def test_a_second_process_waits_its_turn(server, get):
    public = made_of(server, toy__zip=zipped(FILES))
    get.work.mkdir(parents=True)
    code = (
        f"import fcntl, sys; f = open({str(get.work / 'lock')!r}, 'w'); fcntl.flock(f, 2); "
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [shutil.which("python3"), "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(InstructorError, match="Another process is getting toy"):
            get(public)
        other.communicate()
    get(public)
    assert get.is_whole()
