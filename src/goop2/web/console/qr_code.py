"""A text as a QR code, drawn as the data URL of an SVG picture: black on a transparent ground.

The only module that imports qrcodegen; loaded when the first code is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final
from urllib.parse import quote

from qrcodegen import QrCode

BORDER_MODULES: Final = 1
"""The page around it is white too."""
COLOUR: Final = "#111"


def as_data_url(text: str) -> str:
    """Return `text` as a picture; a seventh of it may be covered and it is still read."""
    code = QrCode.encode_text(text, QrCode.Ecc.MEDIUM)
    side = code.get_size() + 2 * BORDER_MODULES
    # Half a module down: a line is drawn in the middle of its width.
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" width="{side}" height="{side}">'
        f'<path transform="translate({BORDER_MODULES} {BORDER_MODULES + 0.5})" stroke="{COLOUR}" d="{"".join(_lines(code))}"/></svg>'
    )
    return f"data:image/svg+xml,{quote(svg, safe=' =:/')}"


def _lines(code: QrCode) -> Iterator[str]:
    """Yield the path of each run of dark modules."""
    for y in range(code.get_size()):
        x = 0
        for dark, run in groupby(code.get_module(x, y) for x in range(code.get_size())):
            length = len(list(run))
            if dark:
                yield f"M{x} {y}h{length}"
            x += length
