"""The checksum of cksum(1), so that a host can prove with its own tools that it received every byte."""

from __future__ import annotations

import zlib

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def cksum(data: bytes) -> str:
    """Give `CRC LENGTH` as POSIX cksum prints it for standard input.

    POSIX feeds the most significant bit first, starts at 0 and appends the length, low byte first (cksum(1p));
    zlib's CRC-32 has the same polynomial the other way round, so bits are turned on the way in and out.
    """
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8, "little")
    turned = (data + length).translate(_REVERSED)
    crc = zlib.crc32(turned, 0xFFFFFFFF)  # 0xFFFFFFFF: zlib inverts its start value, and POSIX starts at 0
    return f"{int(f'{crc:032b}'[::-1], 2)} {len(data)}"
