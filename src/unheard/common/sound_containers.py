"""What a sound file's container announces: where its first stream ends, and whether it is all there.

Decoders read what they find. A download that broke off decodes to its first part, and of recordings that were
joined byte by byte (`cat a.ogg b.ogg`) most decoders see the first alone. Neither is told by them.

Layouts: RIFF and RF64 (Microsoft and IBM 1991; EBU Tech 3306), Wave64 (Sony), AIFF and 8SVX (EA IFF 85), AU
(Sun), CAF (Apple), NIST SPHERE, Ogg (RFC 3533), FLAC (RFC 9639), and the frame that Xing's encoder began to
write at the head of MP3.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from unheard.errors import InputError

OGG, FLAC = b"OggS", b"fLaC\x00\x00\x00\x22"
W64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
UNKNOWN_LENGTH = 0x7FFFF000
"""Lengths of 0 and from here on are what programs write that cannot know the length beforehand."""
MOST_STREAMS = 10_000
BLOCK = 1 << 20


@dataclass(frozen=True)
class Stream:
    """One sound in a file: its first byte, and one after its last."""

    first: int
    end: int


class Section(io.RawIOBase):
    """Part of a file as a file of its own.

    Its bounds hold wherever a damaged sound sends its decoder: positions beyond them are brought to them.
    """

    def __init__(self, file: BinaryIO, stream: Stream) -> None:
        self._file, self._first, self._size = file, stream.first, stream.end - stream.first
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence, self._size)
        self._position = min(max(origin + offset, 0), self._size)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer).cast("B") as view:
            self._file.seek(self._first + self._position)
            content = self._file.read(min(len(view), self._size - self._position))
            view[: len(content)] = content
        self._position += len(content)
        return len(content)


def streams(file: BinaryIO) -> list[Stream]:
    """The sounds that stand in a file one after another: one, unless files were joined byte by byte.

    Raises:
        InputError: it is empty, one of them is shorter than it announces, or there are more than are read.
    """
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise InputError("the file is empty")
    found: list[Stream] = []
    first = 0
    while True:
        end = _end(file, first, size)
        following = None if end is None else _next(file, end, size)
        if following is None:
            return [*found, Stream(first, size)]
        if len(found) == MOST_STREAMS:
            raise InputError(f"more than {MOST_STREAMS:,} sounds are joined in it: split it")
        found.append(Stream(first, following))
        first = following


def _end(file: BinaryIO, first: int, size: int) -> int | None:
    """Where the sound ends that begins at a byte; None where nothing tells. InputError if it is cut short."""
    head = _at(file, first, 16)
    for magic, end in _ENDS.items():
        if head.startswith(magic):
            return end(file, first, size)
    return _end_of_mp3(file, first, size)


def _next(file: BinaryIO, end: int, size: int) -> int | None:
    """Where another sound begins, right behind the end of one or after some zeros; None if none does."""
    if end >= size:
        return None
    behind = _at(file, end, 64)
    begin = end + len(behind) - len(behind.lstrip(b"\0"))
    if behind.startswith(b"TAG"):  # of 128 bytes, at the end of an MP3
        begin = end + 128
    head = _at(file, begin, 16)
    if any(head.startswith(magic) for magic in _ENDS) or _is_frame(_at(file, _behind_tags(file, begin), 4)):
        return begin
    return None


def _at(file: BinaryIO, position: int, length: int) -> bytes:
    file.seek(position)
    return file.read(length)


def _cut_short(announced: int, there: int) -> InputError:
    return InputError(
        f"it is truncated: it announces {announced:,} bytes of sound, and {max(there, 0):,} are there; "
        "fetch it again"
    )


def _little(content: bytes) -> int:
    return int.from_bytes(content, "little")


def _big(content: bytes) -> int:
    return int.from_bytes(content, "big")


def _end_of_riff(file: BinaryIO, first: int, size: int) -> int | None:
    """RIFF WAVE, and RF64, whose lengths of 64 bits stand in a chunk `ds64`."""
    form, wide = _little(_at(file, first + 4, 4)), 0
    for name, length, begin in _chunks(file, first + 12, size, _little):
        if name == b"ds64":
            form, wide = _little(_at(file, begin, 8)), _little(_at(file, begin + 8, 8))
        elif name == b"data":
            if not 0 < length < UNKNOWN_LENGTH and not 0 < wide < 1 << 62:
                return None
            end = _checked(length if 0 < length < UNKNOWN_LENGTH else wide, begin, size)
            return max(end, first + 8 + form)  # other chunks may follow the sound
    raise InputError("it is truncated: its header ends before any sound begins; fetch it again")


def _end_of_iff(file: BinaryIO, first: int, size: int) -> int | None:
    """AIFF, AIFC and 8SVX: the form, of which the sound may be followed by other chunks."""
    for name, length, begin in _chunks(file, first + 12, size, _big):
        if name in (b"SSND", b"BODY"):
            if not 0 < length < UNKNOWN_LENGTH:
                return None
            return max(_checked(length, begin, size), first + 8 + _big(_at(file, first + 4, 4)))
    return None


def _chunks(
    file: BinaryIO, position: int, size: int, number: Callable[[bytes], int]
) -> Iterator[tuple[bytes, int, int]]:
    """Chunks of a form: name, length, first byte of the content; as many as a sound's header has."""
    for _ in range(10_000):
        header = _at(file, position, 8)
        if len(header) < 8 or position > size:
            return
        length = number(header[4:])
        yield header[:4], length, position + 8
        position += 8 + length + length % 2


def _checked(length: int, begin: int, size: int) -> int:
    """One after the last byte of sound data that has a length; InputError if that is beyond the file."""
    if begin + length > size:
        raise _cut_short(length, size - begin)
    return begin + length + length % 2


def _end_of_w64(file: BinaryIO, first: int, size: int) -> int | None:
    whole = _little(_at(file, first + 16, 8))
    if not 0 < whole < 1 << 62:
        return None
    if first + whole > size:
        raise _cut_short(whole, size - first)
    return first + whole


def _end_of_au(file: BinaryIO, first: int, size: int) -> int | None:
    header = _at(file, first, 12)
    begin, length = first + _big(header[4:8]), _big(header[8:12])
    if not 0 < length < UNKNOWN_LENGTH:
        return None
    return _checked(length, begin, size) - length % 2


def _end_of_caf(file: BinaryIO, first: int, size: int) -> int | None:
    position, end = first + 8, None
    for _ in range(10_000):
        header = _at(file, position, 12)
        length = int.from_bytes(header[4:], "big", signed=True)
        if len(header) < 12 or length < 0:  # -1: to the end of the file
            break
        if header[:4] == b"data" and position + 12 + length > size:
            raise _cut_short(length, size - position - 12)
        if position + 12 + length > size or not header[:4].isalnum():
            break
        position = end = position + 12 + length
    return end


def _end_of_nist(file: BinaryIO, first: int, size: int) -> int | None:
    """SPHERE: a header of text, whose fields say how many samples of how many bytes follow."""
    lines = _at(file, first, 1024).split(b"\n")
    fields = {parts[0]: parts[2] for line in lines if len(parts := line.split()) == 3}
    try:
        header = int(lines[1])
        length = int(fields[b"sample_count"]) * int(fields[b"channel_count"]) * int(fields[b"sample_n_bytes"])
    except (KeyError, ValueError, IndexError):
        return None
    if fields.get(b"sample_coding", b"pcm") not in (b"pcm", b"ulaw", b"alaw") or length <= 0 or header <= 0:
        return None
    return _checked(length, first + header, size) - length % 2


def _end_of_ogg(file: BinaryIO, first: int, size: int) -> int | None:
    """Where another chain of pages begins: the first page of a stream after pages that were none."""
    position, begun = first, False
    while position < size:
        header = _at(file, position, 27)
        if header[:4] != OGG or len(header) < 27:
            following = _find(file, OGG, position + 1, size)
            if following is None:
                # What a page had is cut: a few bytes behind the last page are another matter.
                return _cut_page(header, position, size)
            position = following
            continue
        begins = bool(header[5] & 2)
        if begins and begun:
            return position
        begun = begun or not begins
        table = _at(file, position + 27, header[26])
        length = 27 + len(table) + sum(table)
        if len(table) < header[26] or position + length > size:
            raise _cut_short(length, size - position)
        position += length
    return size


def _cut_page(header: bytes, position: int, size: int) -> int:
    if OGG.startswith(header[:4]) or header.startswith(OGG):
        raise _cut_short(27, size - position)
    return size


def _end_of_flac(file: BinaryIO, first: int, size: int) -> int | None:
    """Where another one begins; nothing else tells how many bytes a FLAC stream has."""
    return _find(file, FLAC, first + len(FLAC), size) or size


def _find(file: BinaryIO, what: bytes, start: int, size: int) -> int | None:
    """The first place from `start` on where some bytes stand."""
    overlap = len(what) - 1
    while start < size:
        block = _at(file, start, BLOCK + overlap)
        if (found := block.find(what)) >= 0:
            return start + found
        if len(block) <= overlap:
            return None
        start += len(block) - overlap
    return None


def _end_of_mp3(file: BinaryIO, first: int, size: int) -> int | None:
    """By what its encoder noted in the first frame; nothing else tells."""
    noted = _xing(file, first)
    if noted is None:
        return None
    begin, length = noted
    return begin + length if length > 0 else None


def _xing(file: BinaryIO, first: int) -> tuple[int, int] | None:
    """Where the first frame of an MP3 begins and the bytes from there on, as noted in it; None without."""
    begin = _behind_tags(file, first)
    frame = _at(file, begin, 64)
    position = next((frame.find(name) for name in (b"Xing", b"Info") if name in frame), None)
    if not _is_frame(frame) or position is None or position + 16 > len(frame):
        return None
    flags = _big(frame[position + 4 : position + 8])
    after = position + 8 + 4 * (flags & 1)
    return (begin, _big(frame[after : after + 4])) if flags & 2 else None


def _behind_tags(file: BinaryIO, position: int) -> int:
    """Where the frames of an MP3 begin, behind its ID3 tags."""
    for _ in range(100):  # files have one or two
        tag = _at(file, position, 10)
        if tag[:3] != b"ID3" or len(tag) < 10:
            break
        size = sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
        position += 10 + size
    return position


def _is_frame(head: bytes) -> bool:
    """Whether a frame of MPEG audio may begin so: sync word, version, layer, bit rate and sample rate."""
    return (
        len(head) >= 4
        and head[0] == 0xFF
        and head[1] & 0xE0 == 0xE0
        and head[1] & 0x18 != 0x08
        and head[1] & 0x06 != 0
        and head[2] & 0xF0 != 0xF0
        and head[2] & 0x0C != 0x0C
    )


_ENDS: dict[bytes, Callable[[BinaryIO, int, int], int | None]] = {
    b"RIFF": _end_of_riff,
    b"RF64": _end_of_riff,
    W64: _end_of_w64,
    b"FORM": _end_of_iff,
    b".snd": _end_of_au,
    b"caff": _end_of_caf,
    b"NIST_1A": _end_of_nist,
    OGG: _end_of_ogg,
    FLAC: _end_of_flac,
}
"""What a container begins with, and where it ends."""
