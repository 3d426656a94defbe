"""The server's certificate, as OpenSSL reads it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from goop2.cluster.certificate import make_certificate

HOSTS = ("hub", "127.0.0.1", "fd00::1", "x" * 200)


def test_openssl_reads_it_and_it_is_valid_for_years(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    certificate, private = make_certificate(HOSTS, now)
    (tmp_path / "server.pem").write_text(certificate)
    (tmp_path / "server.key").write_text(private)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate)
    (read,) = context.get_ca_certs()
    assert read["subject"] == ((("commonName", "goop2 cluster"),),)
    assert {("DNS", "hub"), ("IP Address", "127.0.0.1"), ("IP Address", "FD00:0:0:0:0:0:0:1")} <= set(read["subjectAltName"])
    begins = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(read["notBefore"])), UTC)
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(read["notAfter"])), UTC)
    assert begins < now - timedelta(hours=1)  # a clock that is an hour slow believes it
    assert ends > now + timedelta(days=3000)


def test_each_one_has_a_key_of_its_own() -> None:
    assert len({text for _ in range(3) for text in make_certificate(HOSTS, datetime.now(UTC))}) == 6
