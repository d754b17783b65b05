"""Decodes the golden payloads by docs/Format.md alone, with no code of the project, and compares them with their .bin.

Usage: decode_golden.py [folder]. Prints one line and exits 0 when all agree. Hashes are checked when the package
xxhash is there; the rest needs nothing but Python.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

try:
    import xxhash
except ImportError:
    xxhash = None

SHIFT = {0: 3, 1: 2}  # by element type: f8E4M3FN, f8E5M2
RAW, HUFFMAN, PLANES = range(3)
# By encoding and element type: the column group, and the bytes of the last section for each column.
GROUP = {RAW: {0: 4, 1: 16}, HUFFMAN: {0: 4, 1: 16}, PLANES: {0: 8, 1: 16}}
BYTES_PER_COLUMN = {RAW: {0: 32, 1: 32}, HUFFMAN: {0: 16, 1: 12}, PLANES: {0: 24, 1: 20}}


def canonical_codes(lengths: list[int]) -> dict[str, int]:
    """The symbol of each code, written as a string of bits in the order in which they come (huffman_c3)."""
    used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
    if len(used) == 1:
        return {"": used[0][1]}
    codes, value, previous = {}, 0, used[0][0] if used else 0
    for length, symbol in used:
        value <<= length - previous
        codes[format(value, f"0{length}b")] = symbol
        value, previous = value + 1, length
    return codes


def lane_symbols(
    words: list[int], codes: dict[str, int], steps: int, group: int, symbols_of_type: int
) -> list[list[int]]:
    """The symbols of each lane: the lanes keep queues of bits, filled by stream_c2 and stream_c3."""
    source = iter(words)
    queues: list[list[int]] = [[] for _ in range(32)]
    taken = [0] * 32  # bits used up of the lane's first word

    def refill(lane: int) -> None:
        word = next(source, 0)
        queues[lane] += [word >> bit & 1 for bit in range(16)]

    for _ in range(2):
        for lane in range(32):
            refill(lane)
    symbols: list[list[int]] = [[] for _ in range(32)]
    for _ in range(steps):
        for lane in range(32):
            for _ in range(2 // group):
                code = ""
                while code not in codes:
                    code += str(queues[lane].pop(0))
                    taken[lane] += 1
                coded = codes[code]
                for _ in range(group):  # huffman_c7
                    symbols[lane].append(coded % symbols_of_type)
                    coded //= symbols_of_type
        for lane in range(32):
            if taken[lane] >= 16:
                taken[lane] -= 16
                refill(lane)
    return symbols


def rest_of(plane: bytes, element_type: int, position: int) -> int:
    """The rest of the element at a position in tile order (rest_c1, rest_c2)."""
    step, p = divmod(position, 64)
    if element_type == 0:
        byte = plane[step // 2 * 64 + p]
        if step % 2:
            byte = (byte >> 4 | byte << 4) & 0xFF
        return byte & 0x87
    group, j = divmod(step, 8)
    mantissa = plane[group * 192 + j // 4 * 64 + p] >> (j % 4 * 2) & 3
    sign = plane[group * 192 + 128 + p] >> j & 1
    return sign << 7 | mantissa


def bits(mask: bytes) -> list[int]:
    """The bits of some bytes, the lowest of the first byte first."""
    return [byte >> i & 1 for byte in mask for i in range(8)]


def codes_of(masks: bytes) -> list[int]:
    """The 64 codes of two bits in 16 bytes: the low bits, then the high bits."""
    return [low + 2 * high for low, high in zip(bits(masks[:8]), bits(masks[8:]), strict=True)]


def planes_tile(stream: bytes, units: bytes, nibbles: list[int], element_type: int) -> bytes:
    """The elements of a tile in tile order (codes_c1, units_c2, units_c3)."""
    ranked = {nibble - 1: symbol for symbol, nibble in enumerate(nibbles) if nibble}
    rests, first = [], []
    if element_type == 0:
        unit_bytes, rest_bytes, steps = 192, 128, 4
    else:
        unit_bytes, rest_bytes, steps = 320, 192, 8
    for start in range(0, len(units), unit_bytes):
        unit = units[start : start + unit_bytes]
        rests += [rest_of(unit[:rest_bytes], element_type, position) for position in range(steps * 64)]
        for step in range(steps):
            first += codes_of(unit[rest_bytes + step * 16 :][:16])

    groups, third_count = struct.unpack_from("<2H", stream)
    second = [code for group in range(groups) for code in codes_of(stream[4 + group * 16 :][:16])]
    third_at = 4 + groups * 16
    third = [digit for byte in stream[third_at : third_at + -(-third_count // 2)] for digit in (byte & 15, byte >> 4)]
    if element_type == 1:
        high_at = third_at + -(-third_count // 2)
        high = bits(stream[high_at : high_at + -(-third_count // 8)])
        third = [third[i] + 16 * high[i] for i in range(third_count)]

    # Each code comes from the first plane; an escape takes the next code of the plane below.
    next_second, next_third = iter(second), iter(third)
    elements = bytearray()
    for code, rest in zip(first, rests, strict=True):
        rank = code
        if code == 3:
            rank = 3 + next(next_second)
        symbol = ranked[rank] if rank < 6 else next(next_third)
        elements.append(symbol << SHIFT[element_type] | rest)
    assert len(second) == -(-first.count(3) // 64) * 64
    return bytes(elements)


def decode(payload: bytes) -> bytes:
    magic, major, minor, header_bytes, required, _, payload_bytes, payload_hash, content_hash = struct.unpack_from(
        "<4sBBHIIQQQ", payload
    )
    element_type, encoding, order, _, rank, group, _, limit, tile_columns, flags = struct.unpack_from(
        "<8BII", payload, 40
    )
    rows, columns, rest_offset, table_offset, codes_offset, _ = struct.unpack_from("<6Q", payload, 64)
    dims = struct.unpack_from(f"<{rank}Q", payload, 128)
    wide = group == 2
    assert (magic, major, header_bytes, required) == (b"ECF8", 1, 256 if wide else 192, 1 if wide else 0)
    assert minor == (2 if wide else 1 if encoding == PLANES else 0)
    assert payload_bytes == len(payload) and len(payload) % 64 == 0
    count = 1
    for dim in dims:
        count *= dim
    assert rows * columns == count and columns == (dims[-1] if dims else 1)
    if xxhash:
        assert xxhash.xxh3_64_intdigest(payload[32:]) == payload_hash

    if order == 0:
        elements = payload[rest_offset : rest_offset + count]
    else:
        lengths = [payload[112 + i // 2] >> (i % 2 * 4) & 15 for i in range(32)]
        symbols_of_type = 16 if element_type == 0 else 32
        if wide:
            assert not any(lengths)
            lengths_offset, lengths_bytes = struct.unpack_from("<QQ", payload, 192)
            assert lengths_bytes == symbols_of_type**2 and table_offset == lengths_offset + lengths_bytes
            lengths = list(payload[lengths_offset : lengths_offset + lengths_bytes])
        if encoding == HUFFMAN:
            assert max(lengths) <= limit
        codes = canonical_codes(lengths) if encoding == HUFFMAN else {}
        matrix = bytearray(count)
        column_group = GROUP[encoding][element_type]
        index, offset = 0, rest_offset
        for first_row in range(0, rows, 32):
            for first_column in range(0, columns, tile_columns):
                width = min(tile_columns, columns - first_column)
                padded = -(-width // column_group) * column_group
                plane = payload[offset : offset + padded * BYTES_PER_COLUMN[encoding][element_type]]
                offset += len(plane)
                if encoding == RAW:
                    tile = plane
                elif encoding == PLANES:
                    begin, end = struct.unpack_from("<II", payload, table_offset + index * 4)
                    stream = payload[codes_offset + begin * 2 : codes_offset + end * 2]
                    tile = planes_tile(stream, plane, lengths, element_type)
                else:
                    begin, end = struct.unpack_from("<II", payload, table_offset + index * 4)
                    words = struct.unpack_from(f"<{end - begin}H", payload, codes_offset + begin * 2)
                    symbols = lane_symbols(list(words), codes, padded // 2, group, symbols_of_type)
                    tile = bytearray(padded * 32)
                    for position in range(padded * 32):
                        lane, column = position % 64 // 2, position // 64 * 2 + position % 2
                        symbol = symbols[lane][column] << SHIFT[element_type]
                        tile[position] = symbol | rest_of(plane, element_type, position)
                for row in range(first_row, min(first_row + 32, rows)):
                    in_strip = row - first_row
                    lane = in_strip * 2 if in_strip < 16 else (in_strip - 16) * 2 + 1
                    for column in range(width):
                        value = tile[column // 2 * 64 + lane * 2 + column % 2]
                        matrix[row * columns + first_column + column] = value
                index += 1
        elements = bytes(matrix)
    if xxhash:
        assert xxhash.xxh3_64_intdigest(elements) == content_hash
    assert bool(flags & 8) == (0x80 in elements)
    return elements


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    payloads = sorted((folder / "valid").glob("*.ecf8"))
    wrong = [p.name for p in payloads if decode(p.read_bytes()) != p.with_suffix(".bin").read_bytes()]
    if wrong or not payloads:
        print(f"expected every payload to decode to its .bin, got differences in {wrong or 'none: no payloads'}")
        return 1
    print(f"{len(payloads)} payloads decoded, {'with' if xxhash else 'without'} hashes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
