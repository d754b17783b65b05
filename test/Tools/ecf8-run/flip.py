"""Changes one bit of a file: flip.py FILE OFFSET (negative: from the end)."""

import sys
from pathlib import Path

path, offset = Path(sys.argv[1]), int(sys.argv[2])
content = bytearray(path.read_bytes())
content[offset] ^= 1
path.write_bytes(content)
