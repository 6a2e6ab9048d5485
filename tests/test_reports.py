"""Reports: what opens, what is too long, empty or hostile, and whom a report names."""

import os
import zlib
from datetime import UTC
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from earmark.errors import OurFault, SubmissionError
from earmark.homework import report_text, reports
from earmark.homework.course import Course, ReportRule, Student, Team
from earmark.homework.reports import look_at_report, read_report, strangers_in_report

RULE = ReportRule(pages=2)
WORDS = "We trained a small network on loud and quiet notes, and this is what we found. " * 4


def pdf(
    path: Path,
    *pages: str,
    packed: bytes | None = None,
    tree: str = "",
    how: str = "/FlateDecode",
    locked: str = "",
) -> Path:
    """Write a PDF by hand: a line of text a page; or a page with this packed stream, or this tree of pages."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    shown = (f"BT /F1 9 Tf 20 700 Td ({page}) Tj ET" for page in pages)
    streams = [packed] if packed else [zlib.compress(page.encode("cp1252")) for page in shown]
    kids = []
    for stream in streams:
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {len(objects) + 2} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        body = stream.decode("latin1")
        objects.append(f"<< /Length {len(body)} /Filter {how} >>\nstream\n{body}\nendstream")
    objects[1] = tree or f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    text, places = "%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        places.append(len(text))
        text += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {locked} >>\nstartxref\n{len(text)}\n%%EOF\n"
    path.write_bytes(
        (text + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}").encode("latin1")
    )
    return path


def test_the_tests_own_pdfs_are_what_they_should_be(tmp_path):
    reader = PdfReader(pdf(tmp_path / "report.pdf", "one page", "another"))
    assert [page.extract_text() for page in reader.pages] == ["one page", "another"]


@pytest.mark.parametrize(
    ("pages", "verdict", "words"),
    [
        ([WORDS, WORDS], "ok", "2 pages"),
        ([WORDS] * 3, "failed", "report.pdf has 3 pages; at most 2 are allowed."),
        (["", ""], "failed", "empty: 2 pages without any text"),
        (["Our report"], "warning", "1 page and 9 characters"),
        ([], "failed", "no page"),
    ],
)
def test_a_report_is_held_against_the_rule(tmp_path, pages, verdict, words):
    pdf(tmp_path / "report.pdf", *pages)
    found, said = look_at_report(tmp_path, RULE)
    assert (found, words in said) == (verdict, True), said


def test_a_scan_is_for_a_person_to_look_at(tmp_path):
    writer = PdfWriter(pdf(tmp_path / "plain.pdf", ""))
    from pypdf.generic import DictionaryObject, NameObject

    writer.pages[0]["/Resources"][NameObject("/XObject")] = DictionaryObject()
    writer.write(tmp_path / "report.pdf")
    verdict, said = look_at_report(tmp_path, RULE)
    assert (verdict, "Is it a scan" in said) == ("warning", True)


def test_an_encrypted_report_is_refused_unless_anybody_can_open_it(tmp_path):
    for password, name in (("secret", "locked.pdf"), ("", "open.pdf")):
        writer = PdfWriter(pdf(tmp_path / "plain.pdf", WORDS))
        writer.encrypt(password, "the owner's", algorithm="RC4-128")
        writer.write(tmp_path / name)
    with pytest.raises(SubmissionError, match=r"locked\.pdf can't be read: it is encrypted"):
        read_report(tmp_path / "locked.pdf")
    assert read_report(tmp_path / "open.pdf").pages == 1


def test_no_report_is_told_with_the_file_that_may_be_meant(tmp_path):
    with pytest.raises(SubmissionError, match=r"there is no report\.pdf\.$"):
        look_at_report(tmp_path, RULE)
    pdf(tmp_path / "Final version.pdf", WORDS)
    with pytest.raises(SubmissionError, match=r"There is 'Final version\.pdf': give it that name"):
        look_at_report(tmp_path, RULE)
    pdf(tmp_path / "REPORT.PDF", WORDS)
    assert look_at_report(tmp_path, RULE)[0] == "ok"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is no PDF but empty"),
        (b"<!DOCTYPE html><p>Log in", "it is no PDF but a web page"),
        (b"PK\3\4", "another kind of file"),
        (b"%PDF-1.7\nnothing more", "damaged"),
    ],
)
def test_what_is_no_pdf_is_said(tmp_path, content, words):
    path = tmp_path / "report.pdf"
    path.write_bytes(content)
    with pytest.raises(SubmissionError, match=words):
        read_report(path)


AES = (
    "/Encrypt << /Filter /Standard /V 5 /R 6 /Length 256 /O (x) /U (y) /P -4 /OE (a) /UE (b) /Perms (c) "
    "/CF << /StdCF << /CFM /AESV3 >> >> /StmF /StdCF /StrF /StdCF >> /ID [(a) (b)]"
)
ODD_LOCK = "/Encrypt << /Filter /Standard /V 9 /R 2 /O (x) /U (y) /P -4 >> /ID [(a) (b)]"


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"how": "/FooDecode"}, "holds what is not read here"),
        ({"how": "/Crypt /DecodeParms << /Name /Foo >>"}, "holds what is not read here"),
        ({"how": "/JBIG2Decode"}, "packed in a way that is not read here"),
        ({"locked": AES}, "it is encrypted, or packed"),
        ({"locked": ODD_LOCK}, "holds what is not read here"),
    ],
)
def test_what_pypdf_does_not_know_is_the_students_and_names_no_file_of_ours(tmp_path, odd, words):
    path = pdf(tmp_path / "report.pdf", WORDS, **odd)
    with pytest.raises(SubmissionError, match=words) as caught:
        read_report(path)
    assert "/" not in str(caught.value)


def test_no_program_is_started_to_read_a_report(tmp_path, monkeypatch):
    program = tmp_path / "jbig2dec"
    program.write_text(f"#!/bin/sh\necho jbig2dec 0.20\nmkdir -p {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(
        SubmissionError, match="packed in a way that is not read here"
    ):  # as where there is none
        read_report(pdf(tmp_path / "report.pdf", WORDS, how="/JBIG2Decode"))
    assert not (tmp_path / "started").exists()


def test_a_truncated_report_is_the_students_and_never_ours(tmp_path):
    whole = pdf(tmp_path / "whole.pdf", WORDS).read_bytes()
    for end in range(9, len(whole), len(whole) // 5):
        path = tmp_path / f"cut{end}.pdf"
        path.write_bytes(whole[:end])
        try:
            read_report(path)
        except SubmissionError as error:
            assert "can't be read" in str(error)  # noqa: PT017 - some of it may open


@pytest.mark.parametrize(
    "tree",
    [
        "<< /Type /Pages /Kids [2 0 R] /Count 1 >>",
        "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 99999999 >>",
        "<< /Type /Pages /Kids 7 /Count (x) >>",
        "<< /Type /Pages >>",
    ],
)
def test_a_page_tree_that_bites_its_tail_ends(tmp_path, tree):
    pdf(tmp_path / "report.pdf", WORDS, tree=tree)
    try:
        verdict, _ = look_at_report(tmp_path, RULE)
    except SubmissionError:
        verdict = "failed"
    assert verdict == "failed"


def test_a_stream_that_unpacks_to_gigabytes_takes_no_memory_of_ours(tmp_path):
    packer = zlib.compressobj(9)
    block = b"(spam) Tj " * 100_000
    packed = b"".join(
        [packer.compress(b"BT "), *(packer.compress(block) for _ in range(200)), packer.flush()]
    )
    pdf(tmp_path / "report.pdf", packed=packed)
    with pytest.raises(SubmissionError, match=r"can't be read: it (takes more|is damaged)"):
        look_at_report(tmp_path, RULE)


def test_a_report_that_takes_too_long_is_refused(tmp_path, monkeypatch):
    reader = tmp_path / "reader.py"
    reader.write_text("while True:\n    pass\n")
    monkeypatch.setattr(reports, "READER", reader)
    monkeypatch.setattr(reports, "SECONDS", 0.5)
    with pytest.raises(SubmissionError, match="takes too long"):
        read_report(pdf(tmp_path / "report.pdf", WORDS))


def test_limits_hold_and_a_fault_of_ours_is_ours(tmp_path, monkeypatch):
    reader = tmp_path / "reader.py"
    limits = (
        f"import sys\nsys.path.insert(0, {str(Path(report_text.__file__).parent)!r})\nimport report_text\n"
    )
    monkeypatch.setattr(reports, "READER", reader)
    reader.write_text(limits + "report_text.contents = lambda _: bytearray(2 << 30)\nreport_text.main()\n")
    with pytest.raises(SubmissionError, match="more memory"):
        read_report(pdf(tmp_path / "large.pdf", WORDS))
    reader.write_text("raise ImportError('no pypdf here')\n")
    with pytest.raises(OurFault, match=r"read: ImportError: no pypdf here$"):
        read_report(pdf(tmp_path / "ours.pdf", WORDS))


@pytest.fixture
def course(tmp_path):
    names = {
        "b1": "Ada Lovelace",
        "b2": "Moog, Robert",
        "b3": "Li",
        "b4": "王小明",
        "b5": "José Müller",
        "b6": "(a+)+$",
    }
    students = {number: Student(id=number, name=name) for number, name in names.items()}
    teams = [Team(name="Team 7", members=(students["b1"],)), Team(name="Team 71", members=(students["b2"],))]
    teams += [Team(name=number, members=(students[number],)) for number in ("b3", "b4", "b5", "b6")]
    return Course(
        folder=tmp_path,
        title="",
        zone=UTC,
        students=students,
        teams={team.name: team for team in teams},
        assignments={},
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("By Ada Lovelace of Team 7.", []),
        ("As TEAM  71 found", ["Team 71"]),
        ("Robert\nMoog helped", ["Robert Moog"]),
        ("Lithium, Liszt and a Li in it; robert moogs; steam 71", []),
        ("謝謝王小明同學", ["王小明"]),
        ("Jos\u00e9 Mu\u0308ller", ["José Müller"]),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", []),
        ("Rob-\nert Moog", ["Robert Moog"]),
    ],
)
def test_names_of_others_are_whole_names(course, tmp_path, monkeypatch, text, named):
    (tmp_path / "report.pdf").touch()
    monkeypatch.setattr(reports, "read_report", lambda _: reports.Report(1, text, images=False))
    verdict, said = strangers_in_report(tmp_path, RULE, course, course.teams["Team 7"])
    assert (verdict == "warning") == bool(named)
    assert all(repr(name) in said for name in named)
