"""Print figures about the code: lengths of functions and files, names used twice, docstrings and comments.

    make house
    .venv/bin/python tools/house.py [--verbose] [CHECKOUT]

`--verbose` lists what is counted. CHECKOUT is the folder of another checkout, such as one of an older commit; this one when it is left out.

How the figures are counted:

- A function is each `def` and `async def`, methods and nested functions too. Its lines go from `def` to its last line, with its docstring
  and without its decorators.
- A file's lines are all of its lines, blank ones too.
- "p95" is the 95th percentile: 5 % of the functions or files are longer.
- A comment line holds nothing but a comment. Docstrings and comments behind code do not count. The share is of all lines.
- A class name counts as used for several things when more than one class statement below src has it, private and nested classes too.
- An exception is a class at the top of a module that derives from BaseException. The modules are imported to find out.
- A docstring is that of a module, class or function; a string below an attribute is not counted. It is short with less than 28 characters,
  indentation removed.
"""

from __future__ import annotations

import ast
import importlib
import io
import statistics
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SHORT_DOCSTRING_CHARS: Final = 28
LONG_FILE_LINES: Final = 500
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Tree:
    """The modules of a folder that lies in the root of a checkout, such as `src`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder.parent
        self.texts = {file: file.read_text("utf-8") for file in sorted(folder.rglob("*.py"))}
        self.trees = {file: ast.parse(text) for file, text in self.texts.items()}

    def nodes(self) -> Iterator[tuple[Path, ast.AST]]:
        """Yield every node with its file."""
        for file, tree in self.trees.items():
            yield from ((file, node) for node in ast.walk(tree))

    def functions(self) -> list[int]:
        """Return how many lines each function has."""
        return [(node.end_lineno or node.lineno) - node.lineno + 1 for _, node in self.nodes() if isinstance(node, Function)]

    def files(self) -> list[int]:
        """Return how many lines each file has."""
        return [text.count("\n") for text in self.texts.values()]

    def classes(self) -> dict[str, list[tuple[str, ast.ClassDef]]]:
        """Return class name → where it is defined, private ones and those inside functions too."""
        found: dict[str, list[tuple[str, ast.ClassDef]]] = defaultdict(list)
        for file, node in self.nodes():
            if isinstance(node, ast.ClassDef):
                found[node.name].append((f"{file.relative_to(self.root)}:{node.lineno}", node))
        return found

    def exceptions(self) -> list[tuple[str, str]]:
        """Return name and place of every class that is an exception; the modules are imported for it, since bases stand elsewhere."""
        found = []
        for file, tree in self.trees.items():
            if file.stem == "__main__":
                continue
            module = importlib.import_module(".".join(file.relative_to(self.root / "src").with_suffix("").parts).removesuffix(".__init__"))
            for node in tree.body:
                defined = getattr(module, node.name, None) if isinstance(node, ast.ClassDef) else None
                if isinstance(node, ast.ClassDef) and isinstance(defined, type) and issubclass(defined, BaseException):
                    found.append((node.name, f"{file.relative_to(self.root)}:{node.lineno}"))
        return sorted(found)

    def docstrings(self) -> list[tuple[str, str]]:
        """Return place and text of every docstring of a module, class or function."""
        found = []
        for file, node in self.nodes():
            if isinstance(node, Function | ast.ClassDef | ast.Module) and (text := ast.get_docstring(node)):
                found.append((f"{file.relative_to(self.root)}:{getattr(node, 'lineno', 1)}", text))
        return found

    def comments(self) -> int:
        """Return how many lines are nothing but a comment."""
        lines = 0
        for text in self.texts.values():
            tokens = tokenize.generate_tokens(io.StringIO(text).readline)
            lines += sum(token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip() for token in tokens)
        return lines


def spread(numbers: list[int]) -> str:
    """Return median, 95th percentile and maximum."""
    p95 = statistics.quantiles(numbers, n=20)[-1]
    return f"median {statistics.median(numbers):.0f}, p95 {p95:.0f}, max {max(numbers)}, number {len(numbers)}"


def main(root: Path, verbose: bool) -> None:
    """Print the figures of a checkout; with `verbose` also what they count."""
    sys.path.insert(0, str(root / "src"))
    for folder in ("src", "tests"):
        tree = Tree(root / folder)
        files = tree.files()
        print(f"{folder}: functions, lines: {spread(tree.functions())}")
        print(f"{folder}: files, lines: {spread(files)}; more than {LONG_FILE_LINES}: {sum(lines > LONG_FILE_LINES for lines in files)}")
        print(f"{folder}: comment lines: {100 * tree.comments() / sum(files):.1f} %")
    tree = Tree(root / "src")
    several = {name: [place for place, _ in defined] for name, defined in sorted(tree.classes().items()) if len(defined) > 1}
    print(f"src: class names used for several things: {len(several)}, of which public: {sum(name[0] != '_' for name in several)}")
    unended = [(name, place) for name, place in tree.exceptions() if not name.endswith("Error")]
    print(f"src: exceptions without Error at the end: {len(unended)}")
    docstrings = tree.docstrings()
    short = [(place, text) for place, text in docstrings if len(text) < SHORT_DOCSTRING_CHARS]
    print(f"src: docstrings under {SHORT_DOCSTRING_CHARS} characters: {len(short)} of {len(docstrings)}")
    if not verbose:
        return
    print("\nclass names used for several things")
    print("\n".join(f"  {name}: {', '.join(places)}" for name, places in several.items()))
    print("\nexceptions without Error at the end")
    print("\n".join(f"  {name}: {place}" for name, place in unended))
    print("\nshort docstrings")
    print("\n".join(f"  {place}: {text}" for place, text in short))


if __name__ == "__main__":
    verbose, folders = "--verbose" in sys.argv, [argument for argument in sys.argv[1:] if argument != "--verbose"]
    main(Path(folders[0]).resolve() if folders else ROOT, verbose)
