"""Places of backups: what names one, and what does not."""

from __future__ import annotations

import pytest

from goop2.config.replica_place import PlaceError, parse_place


def test_a_folder_is_named_by_a_file_address() -> None:
    assert parse_place("file:/backup/a").path == parse_place("file:///backup/a/").path == "/backup/a"


def test_a_bucket_may_have_an_endpoint_and_a_region() -> None:
    place = parse_place("s3://bucket/some/path?endpoint=http://127.0.0.1:9000&region=eu-1")
    assert (place.host, place.path, dict(place.parameters)) == (
        "bucket",
        "some/path",
        {"endpoint": "http://127.0.0.1:9000", "region": "eu-1"},
    )


def test_a_folder_on_a_server_needs_a_user() -> None:
    place = parse_place("sftp://me@example.org/srv/backup?key-path=/home/me/.ssh/id")
    assert (place.user, place.host, place.port, place.path) == ("me", "example.org", 22, "/srv/backup")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "backup",
        "/backup",
        "file:backup",
        "file:///",
        "file://host/backup",
        "file:///a/../b",
        "file:///a%00b",
        "file:///a?x=1",
        "file:///a#b",
        "ftp://host/a",
        "s3://",
        "s3://key:secret@bucket/a",
        "s3://bucket/a?force-path-style=perhaps",
        "s3://bucket/a?endpoint=a&endpoint=b",
        "sftp://host/a",
        "sftp://me@host",
        "sftp://me:secret@host/a",
        "sftp://me@host:99999/a",
        "sftp://me@host/a?password=secret",
    ],
)
def test_anything_else_is_no_place(text: str) -> None:
    with pytest.raises(PlaceError):
        parse_place(text)
