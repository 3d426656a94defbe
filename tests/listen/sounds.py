"""Audio files made by the tests: WAV and MP3 by hand, the rest by ffmpeg where it is."""

from __future__ import annotations

import math
import shutil
import struct
import subprocess
import wave
from pathlib import Path

import pytest

RATE = 44100
FRAME_SECONDS = 1152 / RATE
KBITS = {9: 128, 5: 64, 14: 320}
"""MPEG 1, layer III: bitrate index → kbit/s."""


def wav(file: Path, seconds: float) -> Path:
    """A tone."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        samples = (int(8000 * math.sin(i * 440 * math.tau / RATE)) for i in range(int(seconds * RATE)))
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file


def mp3_frame(index: int) -> bytes:
    """A silent frame of that bitrate."""
    size = 144 * KBITS[index] * 1000 // RATE
    return (b"\xff\xfb" + bytes([index << 4, 0xC4])).ljust(size, b"\0")


def mp3(file: Path, frames: list[int], before: bytes = b"") -> Path:
    """Frames of these bitrates, without a table of contents."""
    file.write_bytes(before + b"".join(map(mp3_frame, frames)))
    return file


def converted(source: Path, target: Path, *options: str) -> Path:
    """`source` in another format. Skips without ffmpeg."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("no ffmpeg here to make files of this format: install ffmpeg with your package manager")
    subprocess.run([program, "-loglevel", "error", "-y", "-i", source, *options, target], check=True)
    return target


def probed(file: Path) -> float:
    """Seconds, as another tool has them: every packet decoded and counted."""
    program = shutil.which("ffprobe")
    assert program
    command = [program, "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(file)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
