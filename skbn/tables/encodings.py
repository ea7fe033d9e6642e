"""Bytes of a file: how they are compressed, and which letters they stand for."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TextIO
from zipfile import ZipFile

from skbn.tables.messages import InputError, listing

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before that of UTF-16, with which it begins
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
OF_ONE_BYTE = ("cp1252", "latin-1")
"""What text that is no UTF-8 is taken for: the encoding of Windows, or one that fits any byte."""
LETTER_OF_UTF8 = re.compile(rb"[\xc3-\xf4][\x80-\xbf]+")
MIN_LETTERS = 10
"""Letters beyond ASCII of text that is UTF-8, for each byte that is not."""
BLOCK_BYTES = 2**20
SAMPLE_BYTES = 2**12
MIN_ZEROS = 0.1
"""Part of zeros among the bytes of UTF-16, where separators, digits and ends of lines have one."""


@dataclass(frozen=True)
class EncodedText:
    """Text as bytes.

    Attributes
    ----------
    data : bytes
    encoding : str
    start : int, default=0
        Bytes before the text: a byte order mark, or lines that are read already.
    errors : str, default="strict"
        "replace" for bytes that stand for no letter.
    """

    data: bytes
    encoding: str
    start: int = 0
    errors: str = "strict"

    def open(self) -> TextIO:
        """Open the text, with the ends of lines as they are."""
        file = BytesIO(self.data)
        file.seek(self.start)
        return TextIOWrapper(file, self.encoding, self.errors, newline="")

    def without(self, line: str) -> EncodedText:
        """Give the text after a line with which it begins."""
        return replace(self, start=self.start + len(line.encode(self.encoding)))


def uncompressed(path: Path) -> bytes:
    """Read a file whole; how it is compressed is told by its first bytes, not by its name."""
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"BZh"):
        return bz2.decompress(data)
    if data.startswith(b"\xfd7zXZ\x00"):
        return lzma.decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return _without_zstd(data)
    return _only_member(data) if data.startswith(b"PK\x03\x04") else data


def _without_zstd(data: bytes) -> bytes:
    try:
        zstandard = import_module("zstandard")
    except ImportError:
        raise InputError("it is compressed by zstd: pip install zstandard") from None
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as stream:
        return bytes(stream.read())


def _only_member(data: bytes) -> bytes:
    with ZipFile(BytesIO(data)) as archive:
        names = [
            name
            for name in archive.namelist()
            if not name.endswith("/") and not name.startswith("__MACOSX/")
        ]
        if "[Content_Types].xml" in names:
            raise InputError("it is a file of Excel, whose name must end in .xlsx")
        if len(names) != 1:
            raise InputError(
                f"it is an archive of {len(names)} files: {listing(names, 5)}; unpack it, and give "
                "one of them"
            )
        return archive.read(names[0])


def find_encoding(data: bytes, given: str | None = None) -> tuple[EncodedText, list[str]]:
    """Find how text is encoded.

    Parameters
    ----------
    data : bytes
    given : str, default=None
        The encoding if it is known.

    Returns
    -------
    text : EncodedText
    notes : list of str
        That the encoding is a guess, if it is one.

    Raises
    ------
    InputError
        If the bytes are no text, or not in the encoding that is given.
    """
    mark = next((mark for mark in BYTE_ORDER_MARKS if data.startswith(mark)), b"")
    marked = BYTE_ORDER_MARKS.get(mark)
    if given is not None:
        encoding = _known(given)
        if marked is not None and encoding.startswith(marked[:6]):
            text = EncodedText(data, marked, len(mark))
        else:
            if encoding in ("utf-16", "utf-32"):  # with which writing begins by a mark
                encoding = _encoding_of_zeros(data) or f"{encoding}-le"
            text = EncodedText(data, encoding)
        _check_letters(text, f"--encoding {given} does not fit")
        return text, []
    text = EncodedText(data, marked or _encoding_of_zeros(data) or "utf-8", len(mark))
    if text.encoding != "utf-8":
        _check_letters(text, f"it begins as {text.encoding.upper()} does, but is not")
        return text, []
    if b"\0" in data:
        raise InputError(f"byte {data.index(0)} is zero, which no text holds")
    error = _first_error(text)
    return (text, []) if error is None else _guessed(text, _in_words(error, data))


def _guessed(text: EncodedText, where: str) -> tuple[EncodedText, list[str]]:
    """Give text that is not UTF-8 somewhere: with broken bytes, or in an encoding of one byte."""
    if len(LETTER_OF_UTF8.findall(text.data)) > MIN_LETTERS * _n_errors(text):
        note = f"the text is UTF-8 with bytes that are no letters ({where}), and they became \ufffd"
        return replace(text, errors="replace"), [note]
    guess = next(each for each in OF_ONE_BYTE if _first_error(replace(text, encoding=each)) is None)
    note = (
        f"the text is not UTF-8 ({where}), and was read as {guess}, of Western Europe; if letters "
        "are wrong, name another encoding by --encoding"
    )
    return replace(text, encoding=guess), [note]


def _known(encoding: str) -> str:
    """Give the name that Python has for an encoding."""
    try:
        "a".encode(encoding)  # an error for what is no encoding of text, such as base64
        return codecs.lookup(encoding).name.removesuffix("-sig")  # a mark is looked for anyway
    except (LookupError, ValueError):
        raise InputError(
            f"--encoding {encoding} is not known; common ones are utf-8, utf-16, cp1252 (Western "
            "Europe), cp1250 (Central Europe), cp1251 (Cyrillic), gb18030 and shift_jis"
        ) from None


def _encoding_of_zeros(data: bytes) -> str | None:
    """UTF-16 if every other byte is zero where letters are Latin, and if it is valid."""
    sample = data[:SAMPLE_BYTES]
    n_first, n_second = sample[::2].count(0), sample[1::2].count(0)
    few, many = sorted([n_first, n_second])
    if many < MIN_ZEROS * len(sample) or many < 3 * few:
        return None
    encoding = "utf-16-be" if n_first == many else "utf-16-le"
    return encoding if _first_error(EncodedText(data, encoding)) is None else None


def _n_errors(text: EncodedText) -> int:
    """Count what is no letter."""
    with replace(text, errors="replace").open() as lines:
        return sum(line.count("\ufffd") for line in lines)


def _check_letters(text: EncodedText, problem: str) -> None:
    error = _first_error(text)
    if error is not None:
        raise InputError(f"{problem}: {_in_words(error, text.data)}; try another --encoding")
    with text.open() as lines:
        if "\0" in lines.read(SAMPLE_BYTES):
            raise InputError(f"{problem}: it has letters of code zero, which no text holds")


def _first_error(text: EncodedText) -> UnicodeDecodeError | None:
    """Find the first bytes that stand for no letter; ``start`` counts from that of the data."""
    decoder = codecs.getincrementaldecoder(text.encoding)()
    for start, block, is_last in _blocks(text):
        n_pending = len(decoder.getstate()[0])
        try:
            decoder.decode(block, is_last)
        except UnicodeDecodeError as error:
            error.start += start - n_pending
            return error
    return None


def _blocks(text: EncodedText) -> Iterator[tuple[int, bytes, bool]]:
    for start in range(text.start, max(len(text.data), text.start + 1), BLOCK_BYTES):
        yield (
            start,
            text.data[start : start + BLOCK_BYTES],
            start + BLOCK_BYTES >= len(text.data),
        )


def _in_words(error: UnicodeDecodeError, data: bytes) -> str:
    """Name the byte at fault, and its line, which users find in an editor."""
    line = data.count(b"\n", 0, error.start) + 1
    value = data[error.start] if error.start < len(data) else 0
    return f"byte 0x{value:02x} at {error.start:,}, line {line:,}"
