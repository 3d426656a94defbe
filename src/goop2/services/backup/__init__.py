"""The continuous backup: Litestream as a child of the peer, the archive of files beside the database, and restoring both.

Everything reaches the place of the backup by Litestream, which knows folders, S3 and SFTP; nothing here speaks to a server itself.

    PLACE/1/data    the pages of data.db as they were written (Litestream's own format)
    PLACE/1/files   the same of data/backup.db: the files of the folder, and who writes to this place (storage/backup_archive.py)
    PLACE/2/…       after somebody else has taken the place over: a term begins, and nobody writes to an older one's folders

It must not know HTTP to browsers, nor how a peer is opened.
"""
