"""The program of benchmarks/p2p.py made of go-libp2p answers itself in every kind of exchange."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from tests.interop import go_program

SECONDS = 60
FILE_BYTES = 3_000_000


@pytest.fixture(scope="module")
def program() -> str:
    try:
        return str(go_program.build())
    except go_program.NoToolchainError as error:
        pytest.skip(f"go-libp2p yardstick: {error}")


@pytest.fixture(scope="module")
def address(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("site") / "large.bin"
    file.write_bytes(bytes(FILE_BYTES))
    with subprocess.Popen([program, "bench-serve", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


@pytest.mark.parametrize(
    "exchange", [("new", "0.2", "1"), ("kept", "0.2", "1"), ("new", "0.2", "50"), ("kept", "0.2", "50"), ("files", "2")]
)
def test_it_gives_a_figure(program: str, address: str, exchange: tuple[str, ...]) -> None:
    command = [program, "bench-ask", exchange[0], address, *exchange[1:]]
    assert float(subprocess.run(command, timeout=SECONDS, capture_output=True, text=True, check=True).stdout) > 0
