"""Write the file of English anew from the scripts, and print what the other languages lack: `python -m tools.languages`."""

from __future__ import annotations

import sys

from tools.languages.files import faults, write_english


def main() -> int:
    """Print each fault on a line, and return how many there are, at most 1."""
    write_english()
    found = sorted(faults())
    print("\n".join(found) or "every text is in every language")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
