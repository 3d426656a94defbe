"""Names that pages, scripts, logs and other peers rely on, as they stand in the source, are as recorded.

Where a name stands is not recorded: modules may move.
"""

from __future__ import annotations

import ast
import re

from tests.recording.recorded import as_json, compare
from tests.recording.source import PACKAGE, nodes

SDK = PACKAGE / "web/sdk"
LEVELS = ("info", "warning", "error", "exception", "critical")
PROTOCOL = re.compile(r"/(?:goop|libp2p|ipfs|meshsub|floodsub|noise|yamux|multistream|tls|mplex)/[\w./-]+|goop\.[\w.]+\.v\d+")
DECLARED = re.compile(
    r"^\s*(?:export )?(?:declare )?(?:readonly )?(?:interface |type |const |namespace |function |class )?(\w+)\??(?=[(:<=]| [={])",
    re.MULTILINE,
)
MEMBER = re.compile(r"^    (?:async )?([a-zA-Z]\w*)(?:\(|:|,$)", re.MULTILINE)


def test_the_names_of_the_sdk_are_as_recorded() -> None:
    recording = {}
    for file in sorted(SDK.iterdir()):
        text = file.read_text("utf-8")
        kind = "".join(file.suffixes)
        if kind == ".js":
            recording[file.name] = {
                "assigned": sorted(set(re.findall(r"^\s*Goop\.(\w+) = ", text, re.MULTILINE))),
                "members": sorted(set(MEMBER.findall(text[text.index("Goop.") :]))) if "Goop." in text else [],
                "checked": dict(sorted(re.findall(r'Goop\.(?:asks|reads|does|calls)\("([\w.]+)", (\{.*?\}|[^,]+)', text))),
                "requests": sorted(set(re.findall(r'Goop\.request\(\s*[`"]([\w/${}.-]+)', text))),
                "hears": sorted(set(re.findall(r'Goop\.hear\("([\w:.-]+)"', text))),
            }
        elif kind == ".mjs":
            recording[file.name] = {"exports": sorted(re.findall(r"^export (?:const (\w+)|default)", text, re.MULTILINE))}
        else:
            recording[file.name] = {"declares": sorted(set(DECLARED.findall(text)))}
    compare("sdk.json", as_json(recording))


def test_the_events_of_the_log_are_as_recorded() -> None:
    found: set[tuple[str, str, tuple[str, ...]]] = set()
    for node in nodes():
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
            continue
        if not ast.unparse(node.func.value).endswith("log"):
            continue
        event = node.args[0] if node.args else None
        text = event.value if isinstance(event, ast.Constant) else "(made where it is logged)"
        found.add((node.func.attr, str(text), tuple(sorted(word.arg for word in node.keywords if word.arg))))
    assert found
    compare("log-events.txt", "".join(f"{level:<9}  {text}  {', '.join(fields)}".rstrip() + "\n" for level, text, fields in sorted(found)))


def test_the_ids_of_protocols_and_topics_are_as_recorded() -> None:
    texts = {node.value for node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    ids = sorted(text for text in texts if PROTOCOL.fullmatch(text))
    assert "/goop/mq/1.0.0" in ids
    compare("protocol-ids.txt", "".join(f"{each}\n" for each in ids))


def test_the_variables_of_the_environment_are_as_recorded() -> None:
    texts = {node.value for node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    compare("variables.txt", "".join(f"{text}\n" for text in sorted(texts) if re.fullmatch(r"GOOP2_[A-Z0-9_]+", text)))
