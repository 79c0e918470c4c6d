"""Recorded outputs: text is compared exactly, numbers to a tolerance.

Other processors and math libraries may differ in the last bits, and 189,000 updates carry that further. So numbers
agree when they are within 1e-6 of each other, relatively; those with up to five decimals within one unit of the last.
"""

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
RELATIVE = 1e-6
NUMBER = re.compile(r"(-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)")


def compare(name: str, text: str, *, rewrite: bool) -> None:
    """Compare ``text`` with the golden of this name, or write it down as the new one."""
    path = FOLDER / name
    if rewrite:
        path.write_text(text, encoding="utf-8")
    golden = path.read_text(encoding="utf-8")
    ours, theirs = NUMBER.split(text), NUMBER.split(golden)
    assert ours[::2] == theirs[::2]  # what stands between the numbers
    for number, expected in zip(ours[1::2], theirs[1::2], strict=True):
        assert same(number, expected), f"{number} where {name} has {expected}"


def same(number: str, expected: str) -> bool:
    a, b = (float(text.replace(",", "")) for text in (number, expected))
    _, _, decimals = expected.partition(".")
    if decimals.isdigit() and len(decimals) <= 5:
        return abs(a - b) <= 1.001 * 10.0 ** -len(decimals)
    return abs(a - b) <= RELATIVE * abs(b)
