"""Find words of a file that are probably misspelt known ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

LETTERS_APART_MAX: Final = 2
SHORT_KEY_LETTERS: Final = 3
"""A known key of so few letters is resembled by one letter's difference alone: at two, most words of three would resemble it."""


def hint(word: object, known: Iterable[str]) -> str:
    """Return the end of a sentence that suggests the word that was meant; "" if there is none."""
    words = [*known]
    meant = resembled(word, words) if isinstance(word, str) and word not in words else ""
    return f"; did you mean {meant}?" if meant else ""


def resembled(key: str, known: Iterable[str]) -> str:
    """Return the known key that `key` is one or two letters from, "" when there is none."""
    apart = {name: letters_apart(key.casefold(), name) for name in known}
    near = [name for name, letters in apart.items() if letters <= (LETTERS_APART_MAX if len(name) > SHORT_KEY_LETTERS else 1)]
    return min(near, key=apart.__getitem__, default="")


def letters_apart(one: str, other: str) -> int:
    """Return how many letters must be added, dropped, replaced or swapped with their neighbour; exact up to LETTERS_APART_MAX."""
    if abs(len(one) - len(other)) > LETTERS_APART_MAX:
        return LETTERS_APART_MAX + 1
    before, row = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, against in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
