"""Every number of the continuous backup, with its unit and reason."""

from __future__ import annotations

from typing import Final

OLDEST_VERSION: Final = (0, 5, 17)
"""Of Litestream: the one these tests run with. Older ones have no control socket, or another format."""
VERSION_SECONDS: Final = 10.0
"""Until a program that does not tell its version is none of use."""
ASK_SECONDS: Final = 30.0
"""For one question about what is at a place: servers far away answer within seconds."""
RESTORE_SECONDS: Final = 3600.0
"""For a whole database: a gigabyte over a slow line."""
RESTART_FIRST_SECONDS: Final = 1.0
RESTART_MAX_SECONDS: Final = 60.0
"""Until Litestream is started again after it has ended: doubled from the first to the last."""
STEADY_SECONDS: Final = 60.0
"""Litestream that ran so long begins with the first pause again."""
LOOK_SECONDS: Final = 5.0
"""Between two questions whether what was written has arrived."""
FIRST_LOOK_SECONDS: Final = 0.25
"""The same before the first copy has arrived."""
LATE_SECONDS: Final = 10.0
"""Without a copy that arrived, beyond `backup.every_seconds`: then the owner is told."""
LAST_COPY_SECONDS: Final = 3
"""That Litestream may take for its last copy when the peer stops; whoever ends a peer waits for it."""
STOP_SECONDS: Final = LAST_COPY_SECONDS + 2.0
"""Then it is killed."""
TERM_LOOK_SECONDS: Final = 60.0
"""Between two looks whether somebody has taken the place over: each is two requests to the server."""
TERMS_MAX: Final = 10_000
"""Taken over so often by nobody."""
FILES_PAUSE_SECONDS: Final = 1.0
"""After a change of a file: what is saved together goes along together."""
FILES_LOOK_SECONDS: Final = 60.0
"""Between two looks at the files, where the kernel has said nothing."""
FILES_LOOK_UNTOLD_SECONDS: Final = 10.0
"""The same where the kernel says nothing."""
FOLDERS_WATCHED_MAX: Final = 1000
"""With more folders in the site files are looked at now and then alone."""
CHECK_SECONDS: Final = 24 * 3600.0
"""Between two tests of restoring."""
CHECK_FIRST_SECONDS: Final = 600.0
"""After the start, when the last test is older than that."""
CHECK_TAKES_SECONDS: Final = 2 * 3600.0
"""A test that takes longer is ended."""
SOCKET_ANSWER_MAX_BYTES: Final = 1024 * 1024
SHOWN_MAX_CHARS: Final = 300
"""Of an error of Litestream that is told."""
STANDBY_LOOK_SECONDS: Final = 0.5
"""Between two looks whether what a standby follows is whole for the first time."""
