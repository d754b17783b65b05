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
ROW_MAJOR, ROWS32, MMA = range(3)
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


def mma_tile(stream: bytes, slots: bytes, codes: dict[str, int], group: int, element_type: int, offset: int) -> bytes:
    """The elements of a tile of huffman in order mma, in tile order (sections 14 to 16)."""
    coded_bits = 2 if group == 4 else 4
    coded_mask = sum(((1 << coded_bits) - 1) << (7 - coded_bits + 8 * i) for i in range(4))
    rest_mask = 0xFFFFFFFF ^ coded_mask
    words_per_step = 3 if group == 4 else 2
    block_bytes = 4 * words_per_step * 4 * 32
    steps = len(slots) // block_bytes * 4
    starts = struct.unpack_from("<32H", stream)
    area = bits(stream[64:])
    elements = bytearray(steps * 512)
    position = 8
    for lane in range(32):
        assert starts[lane] * 4 == position  # segments_c1
        for step in range(steps):
            block = slots[step // 4 * block_bytes :][:block_bytes]
            lane_bytes = b"".join(block[at + lane * 16 : at + lane * 16 + 16] for at in range(0, block_bytes, 512))
            words = struct.unpack_from(f"<{words_per_step}I", lane_bytes, step % 4 * words_per_step * 4)
            if group == 4:  # slots_c1
                rests = [word & rest_mask for word in words]
                last = 0
                for word, places in zip(words, ({5: 0, 6: 1}, {5: 2, 6: 3}, {5: 4, 6: 7}), strict=True):
                    for byte in range(4):
                        for source, target in places.items():
                            last |= (word >> (byte * 8 + source) & 1) << (byte * 8 + target)
                rests.append(last)
            else:  # slots_c2
                rests = []
                for word in words:
                    rests += [word & rest_mask, (word >> 4 | word << 28) & rest_mask]
            for quad in range(4):
                coded = rests[quad]
                for first in range(0, 4, group):
                    code = ""
                    while code not in codes:
                        code += str(area[position])
                        position += 1
                    symbol = codes[code]
                    if group == 4:
                        coded ^= len(code)
                    for i in range(group):
                        class_bits = symbol >> (coded_bits * i) & ((1 << coded_bits) - 1)
                        coded |= class_bits << (8 * (first + i) + 7 - coded_bits)
                addend = offset * (0x01010101 << SHIFT[element_type])  # group_c3
                value = (coded - addend) & 0xFFFFFFFF
                struct.pack_into("<I", elements, step * 512 + lane * 16 + quad * 4, value)
        while position % 4:  # segments_c4
            assert not area[position]
            position += 1
    assert not any(area[:8]) and not any(area[position:])
    assert len(stream) == -(-(64 + -(-position // 8) + 12) // 16) * 16  # segments_c3
    return bytes(elements)


def tile_place(order: int, row: int, column: int) -> int:
    """Where an element stands in tile order (tile_c2, mma_c2)."""
    if order == MMA:
        lane, quad = row % 8 * 4 + column % 16 // 4, row // 8 + column % 32 // 16 * 2
        return column // 32 * 512 + lane * 16 + quad * 4 + column % 4
    lane = row * 2 if row < 16 else (row - 16) * 2 + 1
    return column // 2 * 64 + lane * 2 + column % 2


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
    element_type, encoding, order, stream_kind, rank, group, raw_bits, limit, tile_columns, flags = struct.unpack_from(
        "<8BII", payload, 40
    )
    (offset_of_exponents,) = struct.unpack_from("<b", payload, 58)
    rows, columns, rest_offset, table_offset, codes_offset, _ = struct.unpack_from("<6Q", payload, 64)
    dims = struct.unpack_from(f"<{rank}Q", payload, 128)
    wide = group in (2, 4)
    assert (magic, major, header_bytes) == (b"ECF8", 1, 256 if wide else 192)
    assert required == (1 if wide else 0) + (2 if order == MMA else 0)
    assert minor == (3 if order == MMA else 2 if wide else 1 if encoding == PLANES else 0)
    assert stream_kind == (0 if encoding != HUFFMAN else 2 if order == MMA else 1)
    if order == MMA and encoding == HUFFMAN:
        assert raw_bits == (4, 5)[element_type] - (2 if group == 4 else 4)
    assert payload_bytes == len(payload) and len(payload) % 64 == 0
    count = 1
    for dim in dims:
        count *= dim
    assert rows * columns == count and columns == (dims[-1] if dims else 1)
    if xxhash:
        assert xxhash.xxh3_64_intdigest(payload[32:]) == payload_hash

    if order == ROW_MAJOR:
        elements = payload[rest_offset : rest_offset + count]
    else:
        lengths = [payload[112 + i // 2] >> (i % 2 * 4) & 15 for i in range(32)]
        symbols_of_type = 16 if element_type == 0 else 32
        if wide:
            assert not any(lengths)
            lengths_offset, lengths_bytes = struct.unpack_from("<QQ", payload, 192)
            assert lengths_bytes == (256 if order == MMA else symbols_of_type**2)
            assert table_offset == lengths_offset + lengths_bytes
            lengths = list(payload[lengths_offset : lengths_offset + lengths_bytes])
        if encoding == HUFFMAN:
            assert max(lengths) <= limit
        if encoding == HUFFMAN and order == MMA:
            assert all(lengths[: 16 if group == 1 else 256])  # group_c4
        codes = canonical_codes(lengths) if encoding == HUFFMAN else {}
        matrix = bytearray(count)
        column_group, bytes_per_column = GROUP[encoding][element_type], BYTES_PER_COLUMN[encoding][element_type]
        strip_rows, unit = 32, 2
        if order == MMA:
            column_group, strip_rows, unit = 128, 16, 16
            bytes_per_column = 16 if encoding == RAW else 12 if group == 4 else 8
        index, offset = 0, rest_offset
        for first_row in range(0, rows, strip_rows):
            for first_column in range(0, columns, tile_columns):
                width = min(tile_columns, columns - first_column)
                padded = -(-width // column_group) * column_group
                plane = payload[offset : offset + padded * bytes_per_column]
                offset += len(plane)
                if encoding == RAW:
                    tile = plane
                else:
                    begin, end = struct.unpack_from("<II", payload, table_offset + index * 4)
                    stream = payload[codes_offset + begin * unit : codes_offset + end * unit]
                if encoding == PLANES:
                    tile = planes_tile(stream, plane, lengths, element_type)
                elif encoding == HUFFMAN and order == MMA:
                    tile = mma_tile(stream, plane, codes, group, element_type, offset_of_exponents)
                elif encoding == HUFFMAN:
                    words = struct.unpack(f"<{len(stream) // 2}H", stream)
                    symbols = lane_symbols(list(words), codes, padded // 2, group, symbols_of_type)
                    tile = bytearray(padded * 32)
                    for position in range(padded * 32):
                        lane, column = position % 64 // 2, position // 64 * 2 + position % 2
                        symbol = symbols[lane][column] << SHIFT[element_type]
                        tile[position] = symbol | rest_of(plane, element_type, position)
                for row in range(first_row, min(first_row + strip_rows, rows)):
                    for column in range(width):
                        value = tile[tile_place(order, row - first_row, column)]
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
