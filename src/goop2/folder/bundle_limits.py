"""How large a template may be that somebody else made: it is read whole before anything of it is written."""

from __future__ import annotations

from typing import Final

FILE_MAX_BYTES: Final = 10 * 1024 * 1024
"""Of one file; other programs of the network refuse more."""
TOTAL_MAX_BYTES: Final = 64 * 1024 * 1024
"""Of all files together, which are held in memory until they are checked. Whoever has more puts it into `site/` afterwards."""
ARCHIVE_MAX_BYTES: Final = TOTAL_MAX_BYTES
"""Of the .tar.gz itself."""
FILES_MAX: Final = 5_000
"""Files; the largest template that we know has 60."""
ENTRIES_MAX: Final = 4 * FILES_MAX
"""Entries of an archive or a folder, with folders and what is passed over."""
PATH_MAX_CHARS: Final = 400
"""Of a path inside the template, well below what a system takes."""
NAME_MAX_BYTES: Final = 200
"""Of one name on it: some file systems take 255, and the name of a temporary file is longer."""
DEPTH_MAX: Final = 16
"""Folders inside each other."""
HEADERS_MAX_BYTES: Final = 8 * 1024 * 1024
"""What an archive may have beyond the content of its files: a block for each entry, and padding."""
SHOWN_MAX_CHARS: Final = 80
"""Of a name in a message."""
