"""Compressed files, and text in any encoding."""

import bz2
import gzip
import lzma
import zipfile

import pytest

from skbn.tables.encodings import BLOCK_BYTES, EncodedText, find_encoding, uncompressed
from skbn.tables.messages import InputError

LATIN = "naïve,label\n1,é\n2,y\n"
CYRILLIC = "имя,label\n1,ж\n2,y\n"
CHINESE = "年齡,標籤\n12,一二三\n34,一丁\n" * 5
EUROS = "price\n5 €\n"


def zipped(*names):
    def compress(data):
        with zipfile.ZipFile(path := zipped.folder / "made.zip", "w") as archive:
            for name in names:
                archive.writestr(name, data)
        return path.read_bytes()

    return compress


@pytest.fixture(autouse=True)
def folder(tmp_path):
    zipped.folder = tmp_path


@pytest.mark.parametrize("suffix", [".csv", ".gz"])
@pytest.mark.parametrize(
    "compress",
    [
        *(bytes, gzip.compress, bz2.compress, lzma.compress, zipped("folder/table.csv")),
        zipped("folder/", "a.csv", "__MACOSX/a.csv"),
    ],
)
def test_contents_tell_the_compression(tmp_path, compress, suffix):
    path = tmp_path / f"table{suffix}"
    path.write_bytes(compress(b"a,b\n1,2\n"))
    assert uncompressed(path) == b"a,b\n1,2\n"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.csv", "b.csv"], "archive of 2 files: a.csv, b.csv; unpack it"),
        (["[Content_Types].xml", "xl/workbook.xml"], "file of Excel, whose name must end in .xlsx"),
    ],
)
def test_archives_of_several_files_are_refused(tmp_path, names, message):
    path = tmp_path / "table.zip"
    path.write_bytes(zipped(*names)(b"a"))
    with pytest.raises(InputError, match=message):
        uncompressed(path)


def test_zstd(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "table.csv.zst"
    path.write_bytes(zstandard.compress(b"a,b\n1,2\n"))
    assert uncompressed(path) == b"a,b\n1,2\n"


@pytest.mark.parametrize(
    ("text", "written", "given"),
    [
        *((LATIN, encoding, None) for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32")),
        *((LATIN, encoding, None) for encoding in ("utf-16-le", "utf-16-be", "cp1252", "latin-1")),
        *((CHINESE, encoding, None) for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be")),
        *((LATIN, f"utf-{bits}", f"UTF-{bits}") for bits in (8, 16, 32)),
        *((LATIN, f"utf-{form}", "utf-16") for form in ("16-le", "16-be")),
        *((LATIN, form, "utf8") for form in ("utf-8", "utf-8-sig")),
        (LATIN, "utf-8", "utf-8-sig"),
        *((CYRILLIC, encoding, encoding) for encoding in ("cp1251", "koi8-r", "utf-16-be")),
        *((CHINESE, encoding, encoding) for encoding in ("gb18030", "big5", "utf-32-le")),
        (EUROS, "cp1252", None),
        (EUROS, "iso8859-15", "latin9"),
        ("a\x81\n", "latin-1", None),  # which cp1252 has not
        ("a\r\nb\rc\n", "utf-8", None),
    ],
)
def test_letters_are_those_written(text, written, given):
    found, notes = find_encoding(text.encode(written), given)
    with found.open() as lines:
        assert lines.read() == text
    is_guess = given is None and not written.startswith("utf")
    assert len(notes) == is_guess
    if is_guess:
        assert "--encoding" in notes[0]
        assert found.encoding in notes[0]


def test_a_mark_before_other_text_is_no_letter():
    found, notes = find_encoding(b"\xef\xbb\xbfna\xefve\n")
    with found.open() as lines:
        assert lines.read() == "naïve\n"
    assert "byte 0xef at 5, line 1" in notes[0]


@pytest.mark.parametrize("damage", [b"\xff", b"\xe9", "é".encode()[:1]])
def test_a_few_bytes_that_are_no_letters_leave_the_others(damage):
    text = "naïve,été\n" * 10
    found, notes = find_encoding(text.encode() + damage)
    with found.open() as lines:
        assert lines.read() == text + "\ufffd"
    assert notes[0].startswith("the text is UTF-8 with bytes that are no letters (byte 0x")
    assert "line 11" in notes[0]


@pytest.mark.parametrize(
    ("data", "given", "message"),
    [
        (LATIN.encode("latin-1"), "utf-8", "--encoding utf-8 does not fit: byte 0xef at 2, line 1"),
        (b"a\nb\n\xff", "ascii", "--encoding ascii does not fit: byte 0xff at 4, line 3; try"),
        (b"abc", "utf-16", "--encoding utf-16 does not fit: byte 0x63 at 2"),
        (b"a,b\n1,2\n", "klingon", "--encoding klingon is not known; common ones are utf-8"),
        *((b"a", name, f"{name} is not known") for name in ("base64", "rot13", "", "a b")),
        (bytes(range(256)) * 20, None, "byte 0 is zero, which no text holds"),
        (b"a,b\n1,\0\n2,x\n" * 9, None, "byte 6 is zero"),
        (b"a\0b\0\n\0" * 9, "utf-8", "--encoding utf-8 does not fit: it has letters of code zero"),
        (b"\xff\xfea\0b", None, "it begins as UTF-16-LE does, but is not: byte 0x62 at 4"),
    ],
)
def test_what_is_no_such_text_is_refused(data, given, message):
    with pytest.raises(InputError) as told:
        find_encoding(data, given)
    assert message in str(told.value)


@pytest.mark.parametrize("n_before", [0, 1, BLOCK_BYTES - 2, BLOCK_BYTES - 1, BLOCK_BYTES])
def test_the_place_of_a_byte_is_told_wherever_blocks_end(n_before):
    data = "é".encode() + b"x" * n_before + "é".encode() + b"\xff" + b"y" * 9
    with pytest.raises(InputError, match=f"byte 0xff at {n_before + 4:,}, line 1"):
        find_encoding(data, "utf-8")


def test_text_goes_on_after_a_line():
    text = EncodedText("sep=;\r\nü\n".encode("utf-16"), "utf-16-le", 2)
    with text.without("sep=;\r\n").open() as lines:
        assert lines.read() == "ü\n"


def test_text_after_a_line_has_no_mark_that_was_not_there():
    text, _ = find_encoding(b"sep=;\na\n", "utf-8-sig")
    with text.without("sep=;\n").open() as lines:
        assert lines.read() == "a\n"
