"""Intake of archives that are bombs, forged or damaged: refused, and never at the price of memory or disk."""

import bz2
import gzip
import io
import lzma
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.submissions.errors import SubmissionError
from earmark.submissions.intake import unpack

MB = 1_000_000
PREDICT = b"def predict(audio, sr): return audio\n"
FILES = {"predict.py": PREDICT, "lib/ä.py": b"1" * 50, "w.npz": os.urandom(30_000), "x" * 150: bytes(2000)}
COMPRESSIONS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def zipped(files):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def tarred(files, form=tarfile.PAX_FORMAT):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as archive:
        for name, content in files.items():
            archive.addfile(header(name, len(content)), io.BytesIO(content))
    return target.getvalue()


def header(name, size, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def local(name, content, size):
    """A zip's entry as it stands before its stored or deflated content; `content` is what it claims to hold."""
    packed = zlib.compress(content, wbits=-15)
    head = (20, 0, 8, 0, 33, zlib.crc32(content), len(packed), size, len(name), 0)
    return struct.pack("<4s5H3I2H", b"PK\3\4", *head) + name + packed


def central(name, content, size, at):
    packed = zlib.compress(content, wbits=-15)
    head = (20, 20, 0, 8, 0, 33, zlib.crc32(content), len(packed), size, len(name), 0, 0, 0, 0, 0, at)
    return struct.pack("<4s6H3I5H2I", b"PK\1\2", *head) + name


def ended(entries, table, count):
    """A zip of these bytes, with this table of contents."""
    end = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, min(count, 65535), min(count, 65535), len(table), len(entries), 0
    )
    return entries + table + end


@pytest.fixture
def refusal(tmp_path):
    """Try to unpack these bytes: the verdict and the reason, at the price of little memory. Nothing is left."""

    def refuse(data, max_bytes=MB, most_memory=12 << 20):
        (tmp_path / "hand-in").write_bytes(data)
        tracemalloc.start()
        try:
            with pytest.raises(SubmissionError) as caught:
                unpack(tmp_path / "hand-in", tmp_path / "out", max_bytes=max_bytes)
            assert tracemalloc.get_traced_memory()[1] < most_memory
        finally:
            tracemalloc.stop()
        assert [path.name for path in tmp_path.iterdir()] == ["hand-in"]
        return caught.value.verdict, str(caught.value)

    return refuse


def test_entries_of_a_zip_that_share_their_bytes(refusal):
    content = bytes(100_000)
    shared = local(b"a", content, len(content))
    names = [b"%c" % letter for letter in range(ord("a"), ord("z"))]
    table = b"".join(central(name, content, len(content), 0) for name in names)
    assert "overlap" in refusal(ended(shared, table, len(names)), max_bytes=10 * MB)[1]


def test_entries_of_a_zip_that_quote_the_next_one(refusal):
    kernel = local(b"b", PREDICT, len(PREDICT))
    outer = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, zlib.crc32(kernel), *[len(kernel)] * 2, 1, 0)
    table = struct.pack(
        "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, zlib.crc32(kernel), *[len(kernel)] * 2, 1, *[0] * 6
    )
    table += b"a" + central(b"b", PREDICT, len(PREDICT), len(outer) + 1)
    assert "overlap at 'b'" in refusal(ended(outer + b"a" + kernel, table, 2))[1]


@pytest.mark.parametrize(("declared", "words"), [(10, "and holds more"), (MB // 2, "and holds only 100000")])
def test_sizes_that_lie(refusal, declared, words):
    content = bytes(100_000)
    entry = local(b"predict.py", content, declared)
    data = ended(entry, central(b"predict.py", content, declared, 0), 1)
    assert refusal(data) == ("refused", f"'predict.py' declares {declared} bytes {words}.")


def test_a_size_that_lies_with_a_checksum_that_agrees(refusal):
    """As zipfile itself would take it: it stops at the declared size, where the checksum is right."""
    content = bytes(100_000)
    right, wrong = (struct.pack("<I", zlib.crc32(bytes(size))) for size in (10, len(content)))
    data = ended(local(b"predict.py", content, 10), central(b"predict.py", content, 10, 0), 1)
    data = data.replace(wrong, right)
    assert zipfile.ZipFile(io.BytesIO(data)).read("predict.py") == bytes(10)
    assert "declares 10 bytes and holds more" in refusal(data)[1]


def test_much_in_little(refusal):
    zeros = {"predict.py": PREDICT, "zeros": bytes(20 * MB)}
    for data in (zipped(zeros), lzma.compress(tarred(zeros))):
        assert len(data) < MB
        verdict, reason = refusal(data, max_bytes=19 * MB)
        assert verdict == "too large"
        assert "more than 19.0 MB, as of 'zeros', 19.0 MB are allowed" in reason


def test_many_files_that_are_too_much_only_together(refusal):
    files = {f"{number}.bin": bytes(200_000) for number in range(6)} | {"predict.py": PREDICT}
    for data in (zipped(files), tarred(files)):
        assert refusal(data)[0] == "too large"


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_zeros_without_end_behind_the_end_mark(refusal, compression):
    compress = COMPRESSIONS[compression]
    data = compress(tarred({"predict.py": PREDICT})) + compress(bytes(MB)) * 10_000
    verdict, reason = refusal(data, max_bytes=12 * MB)
    assert verdict == "too large"
    assert "unpacks to more than" in reason


def test_an_archive_larger_than_what_may_be_in_it(tmp_path):
    with (tmp_path / "hand-in").open("wb") as file:
        file.truncate(70 * MB)  # a hole, never read
    with pytest.raises(SubmissionError, match="the archive takes 70 MB, 68 MB are allowed") as caught:
        unpack(tmp_path / "hand-in", tmp_path / "out", max_bytes=MB)
    assert caught.value.verdict == "too large"


def test_a_million_entries_of_a_zip_are_not_read(refusal):
    table = central(b"d/", b"", 0, 0) * 1_000_000
    verdict, reason = refusal(ended(local(b"d/", b"", 0), table, 1_000_000), most_memory=1 << 20)
    assert verdict == "too large"
    assert "table of contents takes 48.0 MB, 4.2 MB" in reason


@pytest.fixture
def few_entries(monkeypatch):
    for module in ("intake", "zipped"):
        monkeypatch.setattr(f"earmark.submissions.{module}.MAX_ENTRIES", 100)


def test_one_entry_too_many(refusal, few_entries):
    files = {f"lib/{number}": b"" for number in range(101)}
    for data, words in (
        (zipped(files), "has 101 entries"),
        (tarred(files), "more than 100 files and folders"),
    ):
        verdict, reason = refusal(data)
        assert verdict == "too large"
        assert words in reason


def test_folders_that_are_only_implied_count(refusal, few_entries):
    files = {f"{number}/{'d/' * 20}x": b"" for number in range(6)}
    assert "more than 100 files and folders" in refusal(zipped(files))[1]


def test_the_same_folder_many_times(refusal, few_entries):
    block = header("d", 0, tarfile.DIRTYPE).tobuf()
    assert "more than 100 files and folders" in refusal(block * 101)[1]


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_of_a_gigabyte(refusal, kind):
    start = header("long", 1 << 30, kind).tobuf(tarfile.GNU_FORMAT)
    data = gzip.compress(start) + gzip.compress(bytes(MB)) * 1000
    verdict, reason = refusal(data, max_bytes=2 << 30, most_memory=1 << 20)
    assert verdict == "refused"
    assert "takes 1073741824 bytes; at most 65536 were expected" in reason


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_ahead_of_nothing(refusal, kind, monkeypatch):
    monkeypatch.setattr("earmark.submissions.tarred.MAX_HEADERS_BYTES", 1 << 20)
    text = b"".join(b"13 %06d=xy\n" % number for number in range(5000))
    block = header("long", len(text), kind).tobuf(tarfile.GNU_FORMAT) + text + bytes(-len(text) % 512)
    verdict, reason = refusal(gzip.compress(block) * 20, max_bytes=1 << 30, most_memory=1 << 20)
    assert verdict == "refused"
    assert "take more than 1 MiB" in reason


def test_xz_that_asks_for_gigabytes(refusal):
    data = bytearray(lzma.compress(tarred({"predict.py": PREDICT})))
    length = (data[12] + 1) * 4
    data[12 + 4] = 38  # the dictionary's size: 2 GiB
    data[12 + length - 4 : 12 + length] = struct.pack("<I", zlib.crc32(data[12 : 12 + length - 4]))
    assert "Memory usage limit" in refusal(bytes(data))[1]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_empty_streams_without_end(refusal, compression, monkeypatch):
    monkeypatch.setattr("earmark.submissions.tarred.MAX_STREAMS", 1000)
    data = COMPRESSIONS[compression](b"") * 1001
    assert "more than 1000 streams" in refusal(data)[1]


def test_sizes_below_nothing(refusal):
    for info in (header("a", -512), header("a", -512, tarfile.XHDTYPE)):
        verdict, _ = refusal(
            tarred({"predict.py": PREDICT})[:1024] + info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
        )
        assert verdict == "refused"


PACKS = {
    "zip": zipped, "pax": tarred, "gnu": lambda files: tarred(files, tarfile.GNU_FORMAT),
    **{name: lambda files, name=name: COMPRESSIONS[name](tarred(files)) for name in COMPRESSIONS},
}  # fmt: skip


@pytest.mark.parametrize("pack", PACKS)
def test_cut_off_at_any_place(refusal, pack):
    data = PACKS[pack](FILES)
    whole = len(data.rstrip(b"\0")) - 1  # the end mark of a plain tar is zeros
    for at in range(whole, 1000, -len(data) // 20):
        verdict, reason = refusal(data[:at])
        assert verdict == "refused"
        assert "damaged or cut off" in reason


def test_cut_off_between_two_members(refusal):
    """Where tarfile and GNU tar say nothing."""
    first = len(tarred({"predict.py": PREDICT}).rstrip(b"\0")) // 512 * 512 + 512
    assert "it ends too early" in refusal(tarred(FILES)[:first])[1]


@pytest.mark.parametrize("pack", ["zip", *COMPRESSIONS])
def test_a_single_wrong_bit_is_noticed(refusal, pack):
    """Wherever it stands: of bzip2 it may spoil what comes first, and be noticed only by what comes last."""
    data = bytearray(PACKS[pack](FILES))
    for at in range(len(data) // 4, len(data) * 3 // 4, len(data) // 25):
        damaged = bytearray(data)
        damaged[at] ^= 1
        assert "damaged or cut off" in refusal(bytes(damaged))[1]


def resealed(data):
    """Plain tar headers with the checksums of what they now say, so that they are read at all."""
    for at in range(0, len(data) - 511, 512):
        block = data[at : at + 512]
        if block[257:262] == b"ustar":
            data[at + 148 : at + 156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    return bytes(data)


@settings(max_examples=400, deadline=None, database=None)
@given(
    pack=st.sampled_from(sorted(PACKS)),
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=12)), min_size=1, max_size=6
    ),
    shift=st.booleans(),
)
def test_no_mutation_gets_further_than_a_refusal(tmp_path_factory, pack, edits, shift):
    place = tmp_path_factory.mktemp("mutation")
    data = bytearray(PACKS[pack](FILES | {"w.npz": bytes(500)}))
    for where, dropped, put in edits:
        at = int(where * len(data))
        data[at : at + (dropped if shift else len(put))] = put
    (place / "hand-in").write_bytes(resealed(data))
    try:
        unpack(place / "hand-in", place / "out", max_bytes=MB)
    except SubmissionError:
        assert not (place / "out").exists()
    assert {path.name for path in place.iterdir()} <= {"hand-in", "out"}
    found = list(place.rglob("*"))
    assert all((path.is_dir() or path.is_file()) and not path.is_symlink() for path in found)
    assert sum(path.stat().st_size for path in found if path.is_file()) <= MB + len(data)
