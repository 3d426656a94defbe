"""Audio files made by the tests: WAV and MP3 by hand, the rest by each format's own encoder, and another tool's opinion on all of them."""

from __future__ import annotations

import math
import random
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


def noise(file: Path, seconds: float) -> Path:
    """A noise, which no encoder makes small: pages of Ogg are short."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(random.Random(7).randbytes(2 * int(seconds * RATE)))
    return file


def mp3_frame(index: int) -> bytes:
    """A silent frame of that bitrate."""
    size = 144 * KBITS[index] * 1000 // RATE
    return (b"\xff\xfb" + bytes([index << 4, 0xC4])).ljust(size, b"\0")


def mp3(file: Path, frames: list[int], before: bytes = b"") -> Path:
    """Frames of these bitrates, without a table of contents."""
    file.write_bytes(before + b"".join(map(mp3_frame, frames)))
    return file


ENCODERS = {
    ".mp3": ("lame", "--quiet", *("--tt", "The Title", "--ta", "Somebody")),
    ".ogg": ("oggenc", "-Q", *("-t", "The Title", "-a", "Somebody"), "-o"),
    ".opus": ("opusenc", "--quiet", *("--title", "The Title", "--artist", "Somebody")),
    ".flac": ("flac", "-s", "-f", *("-T", "TITLE=The Title", "-T", "ARTIST=Somebody"), "-o"),
    ".wav": ("sox",),
}
"""Ending → what makes it, with tags where it has some. `-o`: the output stands before the input."""


def encoded(source: Path, target: Path, *options: str) -> Path:
    """`source`, a WAV, in another format. Skips without its encoder."""
    program, *given = ENCODERS[target.suffix]
    command: list[str | Path]
    if program == "sox":  # what stands before a file is about that file
        command = [*given, source, *options, target]
    else:
        command = [*options, *given, *([target, source] if given[-1:] == ["-o"] else [source, target])]
    subprocess.run([needed(program), *command], check=True, capture_output=True)
    return target


def heard_seconds(content: bytes, ending: str) -> float:
    """How much sound another tool hears in it, decoded and counted."""
    opus = [needed("opusdec"), "--quiet", "--force-wav", "-", "-"]
    if ending == ".opus":
        content, ending = subprocess.run(opus, input=content, check=True, capture_output=True).stdout, ".wav"
    decode = [
        needed("sox"),
        "-V1",
        "--ignore-length",
        "-t",
        ending[1:],
        "-",
        *("-t", "raw", "-e", "signed", "-b", "16", "-c", "1", "-r", "8000"),
        "-",
    ]
    return len(subprocess.run(decode, input=content, check=True, capture_output=True).stdout) / 2 / 8000


def needed(program: str) -> str:
    """Path of a program. Skips without it."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} here to make or check files of this format: as root `make system` installs it")
    return found
