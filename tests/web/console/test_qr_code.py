"""The QR code of Home: the picture shows the modules of the code, dark and light."""

from __future__ import annotations

import re
from urllib.parse import unquote
from xml.etree import ElementTree

from qrcodegen import QrCode

from goop2.web.console.qr_code import BORDER_MODULES, as_data_url

PEER = "12D3KooWCUdUXDtxNf2Wg5cTzuo9bYyUvHYY7ecLvSDKZgcZXWda"


def test_the_picture_has_every_dark_module_at_its_place_and_a_border() -> None:
    head, _, picture = as_data_url(PEER).partition(",")
    assert head == "data:image/svg+xml"
    code = QrCode.encode_text(PEER, QrCode.Ecc.MEDIUM)
    svg = ElementTree.fromstring(unquote(picture))
    side = code.get_size() + 2 * BORDER_MODULES
    assert svg.attrib["viewBox"] == f"0 0 {side} {side}"
    (path,) = svg
    assert path.attrib["transform"] == "translate(1 1.5)"
    drawn = {(int(x) + step, int(y)) for x, y, run in re.findall(r"M(\d+) (\d+)h(\d+)", path.attrib["d"]) for step in range(int(run))}
    size = range(code.get_size())
    assert drawn == {(x, y) for x in size for y in size if code.get_module(x, y)}
