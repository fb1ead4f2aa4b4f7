"""Packed bodies, unpacked piece by piece: gzip of one member or more, deflate with and without its frame, and both.

None of it was asked for; servers and what stands before them send it all the same. Pure.
"""

from __future__ import annotations

import zlib

from pdr_dspy.endpoint.chat_body import MalformedBody

_GZIP, _ZLIB, _RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
_PACKED = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}
_UNKNOWN = frozenset({"br", "compress", "x-compress", "dcb", "dcz", "zstd"})
"""Ways of packing that are not unpacked. Whatever else is named packs nothing (`utf-8`, `aws-chunked`)."""

_DEFLATED = 8  # the method, in the first byte of deflate's frame
_LAYERS = 4
_BETWEEN = 2**20
"""Bytes of a piece between two layers: what is packed again is hardly smaller than what was packed once."""

_GZIP_MAGIC = b"\x1f\x8b"


class Unpacking:
    """A body's packing.

    Args:
        encoding: The header `Content-Encoding`, or "".

    Raises:
        MalformedBody: it is packed in a way that was not asked for and is not known.
    """

    def __init__(self, encoding: str) -> None:
        names = [name.strip().lower() for name in encoding.split(",")]
        if unknown := [name for name in names if name in _UNKNOWN]:
            raise MalformedBody(f"the body is packed as {unknown[0]!r}, which was not asked for")
        self._layers = [_Layer(_PACKED[name]) for name in reversed(names) if name in _PACKED]
        if len(self._layers) > _LAYERS:
            raise MalformedBody(f"the body is packed more than {_LAYERS} times")

    def unpacked(self, chunk: bytes, most: int) -> bytes:
        """The next piece, unpacked; where it has `most` bytes or more, that many or more of it alone.

        Raises:
            MalformedBody: it can't be unpacked.
        """
        try:
            for layer in self._layers[:-1]:
                chunk = layer.unpacked(chunk, _BETWEEN)
                if len(chunk) >= _BETWEEN:
                    raise MalformedBody("the body is larger, unpacked once, than any that was packed twice")
            return self._layers[-1].unpacked(chunk, most) if self._layers else chunk
        except zlib.error as error:
            raise MalformedBody(f"the body can't be unpacked ({error})") from None


class _Layer:
    """One packing."""

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self._begun = b""  # of a member or a frame that has just begun: too little to tell what it is
        self._inner: zlib._Decompress | None = None
        self._first = True

    def unpacked(self, chunk: bytes, most: int) -> bytes:
        found = b""
        while chunk and len(found) < most:
            if self._inner is None:
                chunk, self._begun = self._begun + chunk, b""
                if len(chunk) < len(_GZIP_MAGIC):
                    self._begun = chunk
                    break
                self._inner = self._member(chunk)
                if self._inner is None:
                    break
            found += self._inner.decompress(chunk, most - len(found))
            chunk = b""
            if self._inner.eof:
                chunk, self._inner, self._first = self._inner.unused_data, None, False
        return found

    def _member(self, head: bytes) -> zlib._Decompress | None:
        """What unpacks the member that begins so; None where another one has ended and this is none."""
        if self._first and self._bits == _ZLIB:
            framed = head[0] & 15 == _DEFLATED and (head[0] << 8 | head[1]) % 31 == 0
            return zlib.decompressobj(_ZLIB if framed else _RAW)
        if not self._first and not (self._bits == _GZIP and head.startswith(_GZIP_MAGIC)):
            return None
        return zlib.decompressobj(self._bits)
