"""Intake of archives: honest ones unpack as the standard library unpacks them, all others are refused whole."""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile

import pytest

from earmark.submissions.errors import SubmissionError
from earmark.submissions.intake import unpack

MB = 1_000_000
PREDICT = b"def predict(audio, sr): return audio\n"
HONEST = {
    "predict.py": PREDICT,
    "model/weights.npz": os.urandom(300_000),
    "model/zeros.bin": bytes(200_000),
    "model/empty": b"",
    "notes/Größe und Länge.txt": b"\xff\xfe",
    f"deep/{'d/' * 20}{'x' * 120}.py": b"1",
}
COMPRESSIONS = {"tar": lambda data: data, "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def zipped(files, **options):
    """A zip of (name or ZipInfo, content) pairs, or of a dict of them."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in dict(files).items() if isinstance(files, dict) else files:
            archive.writestr(name, content, **options)
    return target.getvalue()


def entry(name, mode=0, **attributes):
    info = zipfile.ZipInfo("x")
    info.filename = name  # as it is: ZipInfo mends names
    info.external_attr = mode << 16
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def member(name, **attributes):
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def tarred(files, form=tarfile.PAX_FORMAT, encoding="utf-8"):
    """A tar of (name or TarInfo, content) pairs, or of a dict of them."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form, encoding=encoding) as archive:
        for name, content in dict(files).items() if isinstance(files, dict) else files:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = info.size or len(content)
            archive.addfile(info, io.BytesIO(content))
    return target.getvalue()


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def intake(tmp_path):
    """Unpack these bytes."""

    def take(data, max_bytes=MB):
        archive = tmp_path / "hand-in"
        archive.write_bytes(data)
        return unpack(archive, tmp_path / "out", max_bytes=max_bytes)

    return take


@pytest.fixture
def refusal(intake, tmp_path):
    """Try to unpack these bytes: the verdict and the reason. Nothing is left."""

    def refuse(data, **options):
        with pytest.raises(SubmissionError) as caught:
            intake(data, **options)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["hand-in"]
        assert str(tmp_path) not in str(caught.value)
        return caught.value.verdict, str(caught.value)

    return refuse


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_honest_zip_unpacks_as_zipfile_does(intake, tmp_path, method):
    data = zipped(HONEST, compress_type=method)
    zipfile.ZipFile(io.BytesIO(data)).extractall(tmp_path / "oracle")
    assert tree(intake(data)) == tree(tmp_path / "oracle") == HONEST


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_honest_tar_unpacks_as_tarfile_does(intake, tmp_path, form, compression):
    data = COMPRESSIONS[compression](tarred(HONEST, form))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(tmp_path / "oracle", filter="data")
    assert tree(intake(data)) == tree(tmp_path / "oracle") == HONEST


def test_a_zip_written_to_a_pipe_has_its_sizes_behind_the_content(intake):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise io.UnsupportedOperation

        tell = seek

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in HONEST.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(content)
    assert tree(intake(pipe.getvalue())) == HONEST


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz"])
def test_streams_one_after_another_are_one_tar(intake, compression):
    data = tarred(HONEST)
    pieces = [COMPRESSIONS[compression](data[at : at + 50_000]) for at in range(0, len(data), 50_000)]
    assert tree(intake(b"".join(pieces))) == HONEST


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_the_folder_itself_may_be_packed_and_litter_is_passed_over(intake, tmp_path, pack):
    litter = ["__MACOSX/my-model/._predict.py", "my-model/.DS_Store", "my-model/._x", "my-model/.git/config"]
    litter += ["my-model/__pycache__/predict.cpython-311.pyc"]
    folder = intake(pack({"my-model/predict.py": PREDICT} | dict.fromkeys(litter, b"?")))
    assert folder == tmp_path / "out" / "my-model"
    assert tree(tmp_path / "out") == {"my-model/predict.py": PREDICT}


def test_a_tar_of_the_current_folder_has_dots_in_front(intake):
    top = member(".", type=tarfile.DIRTYPE)
    folder = member("./lib", type=tarfile.DIRTYPE)
    data = tarred([(top, b""), ("./predict.py", PREDICT), (folder, b""), ("./lib/a.py", b"1"), (folder, b"")])
    assert tree(intake(data)) == {"predict.py": PREDICT, "lib/a.py": b"1"}


def test_names_in_utf8_without_its_flag_are_read_as_macos_means_them(intake):
    data = zipped({"predict.py": PREDICT, "model--.bin": b"1"}).replace(b"model--", "modèl-".encode())
    assert tree(intake(data)) == {"predict.py": PREDICT, "modèl-.bin": b"1"}


def test_modes_are_dropped(intake):
    for data in (
        zipped([(entry("predict.py", stat.S_IFREG | 0o6777), PREDICT)]),
        tarred([(member("predict.py", mode=0o6777), PREDICT)]),
    ):
        folder = intake(data)
        assert (folder / "predict.py").stat().st_mode & 0o7133 == 0
        (folder / "predict.py").unlink()
        folder.rmdir()


NAMES = [
    ("../evil.py", "leads out"), ("a/../../evil.py", "leads out"), ("./../evil.py", "leads out"),
    ("..", "leads out"), ("a/./b", "nowhere"), ("a//b", "empty part"), (".//etc/cron", "absolute"),
    ("/etc/cron", "absolute"), ("C:/evil.py", "absolute"), ("./c:evil.py", "absolute"),
    ("..\\evil.py", "backslash"), ("\u2025/evil.py", "leads out"), ("\uff0e\uff0e/evil.py", "leads out"),
    ("a\uff0fb", "slash"), ("bell\x07.py", "can't be seen"), ("line\n.py", "can't be seen"),
    ("py.\u202eexe", "can't be seen"), ("zero\u200bwidth.py", "can't be seen"),
    ("nul", "device"), ("lib/aux.py", "device"), ("Com1.txt", "device"), ("com\u00b9", "device"),
    ("x.", "ends with a dot"), ("x /a.py", "or a space"), ("...", "ends with a dot"),
    ("ü" * 128, "255 bytes"), ("/".join(["d" * 40] * 30), "1024 bytes"), ("d/" * 32 + "x", "32 folders deep"),
    ("setup.exe", "program"), ("predict.py.EXE", "program"), ("lib/a.dll", "program"), ("run.bat", "program"),
]  # fmt: skip


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(("name", "words"), NAMES, ids=[ascii(name)[:30] for name, _ in NAMES])
def test_names_that_lead_elsewhere_or_mean_something_else_elsewhere(refusal, pack, name, words):
    key = entry(name) if pack is zipped else name
    verdict, reason = refusal(pack([("predict.py", PREDICT), (key, b"1")]))
    assert verdict == "refused"
    assert words in reason


PAIRS = [
    ("A.py", "a.py", "differ only"), ("Lib/a", "lib/b", "differ only"), ("é.py", "e\u0301.py", "differ only"),
    ("\ufb01t.py", "fit.py", "differ only"), ("a.py", "a.py", "twice"), ("a.py", "./a.py", "twice"),
    ("a", "a/b", "as a file and as a folder"), ("a/b", "a", "as a file and as a folder"),
]  # fmt: skip


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(("one", "other", "words"), PAIRS)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_names_for_one_file(refusal, pack, one, other, words):
    verdict, reason = refusal(pack([("predict.py", PREDICT), (one, b"1"), (other, b"2")]))
    assert verdict == "refused"
    assert words in reason


def test_names_that_are_not_utf8(refusal):
    in_zip = zipped({"predict.py": PREDICT, "a-b.py": b""}).replace(b"a-b.py", b"a\xffb.py")
    flagged = zipped({"predict.py": PREDICT, "aéb.py": b""}).replace("aéb".encode(), b"a\xff\xffb")
    in_tar = tarred({"predict.py": PREDICT, "aéb.py": b""}, tarfile.GNU_FORMAT, "latin-1")
    for data in (in_zip, flagged, in_tar):
        assert "not in UTF-8" in refusal(data)[1]


def test_a_nul_in_a_name_hides_nothing(refusal):
    data = zipped({"predict.py": PREDICT, "a.py#.txt": b""}).replace(b"a.py#", b"a.py\0")
    assert "can't be seen" in refusal(data)[1]


KINDS = {
    stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device",
    stat.S_IFBLK: "device", 0o110000: "special file", tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link", tarfile.FIFOTYPE: "named pipe", tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device", tarfile.GNUTYPE_SPARSE: "sparse file", b"V": "special file",
}  # fmt: skip


@pytest.mark.parametrize(("kind", "words"), KINDS.items())
def test_only_files_and_folders(refusal, kind, words):
    if isinstance(kind, int):
        data = zipped([("predict.py", PREDICT), (entry("out.npy", kind | 0o777), "/etc/shadow")])
    else:
        data = tarred([("predict.py", PREDICT), (member("out.npy", type=kind, linkname="/etc/shadow"), b"")])
    assert refusal(data) == (
        "refused",
        f"'out.npy' is a {words}; plain files and folders were expected. Put the file itself there.",
    )


def test_sparse_members_of_pax(refusal):
    info = member("holes", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.realsize": "1000000000000"})
    assert "is a sparse file" in refusal(tarred([(info, b"0\n")]))[1]


def test_a_folder_has_no_content(refusal):
    assert "folder with content" in refusal(zipped({"a/": b"hidden"}))[1]


def test_encrypted(refusal):
    data = bytearray(zipped({"predict.py": PREDICT}))
    for at in (6, data.index(b"PK\1\2") + 8):
        data[at] |= 1
    assert refusal(bytes(data)) == ("refused", "the archive is encrypted; hand it in without a password.")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 9, 99])
def test_methods_that_zip_programs_do_not_use_by_themselves(refusal, method):
    data = zipped({"predict.py": PREDICT})
    at = data.index(b"PK\1\2") + 10
    verdict, reason = refusal(data[:at] + struct.pack("<H", method) + data[at + 2 :])
    assert verdict == "refused"
    assert f"method {method}; stored (0) or deflated (8) was expected" in reason


OTHERS = [
    (b"Rar!\x1a\x07\x01\x00" + bytes(600), "a RAR archive"), (b"7z\xbc\xaf\x27\x1c" + bytes(600), "a 7z archive"),
    (b"%PDF-1.7\n" + b"x" * 600, "a PDF"), (b"\n<!DOCTYPE html><p>Log in", "a web page"),
    (b"", "an empty file"), (PREDICT, "a text file"), (os.urandom(8) + bytes(8) + b"x" * 600, "no archive"),
    (b"MZ" + bytes(90) + zipped({"predict.py": PREDICT}), "a Windows program"),
    (gzip.compress(PREDICT * 100), "a gzip file without a tar"), (lzma.compress(PREDICT), "an xz file without"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "looks"), OTHERS, ids=[looks for _, looks in OTHERS])
def test_what_is_no_archive_is_named(refusal, data, looks):
    verdict, reason = refusal(data)
    assert verdict == "refused"
    assert reason.startswith(f"it looks like {looks}")
    assert reason.endswith("a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz was expected.")


def test_without_predict_the_reason_says_where_it_may_be(refusal):
    inner = zipped({"predict.py": PREDICT})
    assert "'model.zip': hand in that one, it was packed twice" in refusal(zipped({"a/model.zip": inner}))[1]
    assert "There is one in 'a': pack that folder" in refusal(zipped({"a/predict.py": b"", "b.txt": b""}))[1]
    assert "It has: 'Predict.py'" in refusal(tarred({"Predict.py": PREDICT}))[1]
    assert "no file at all" in refusal(zipped({}))[1]
    assert "no file at all" in refusal(tarred({}))[1]


def test_an_archive_beside_predict_is_a_file(intake):
    files = {"predict.py": PREDICT, "weights.zip": zipped({"../x": b""})}
    assert tree(intake(zipped(files))) == files
