"""A seeded shuffle of the numbers below any size, computed place by place: it needs no memory.

A Feistel network permutes the smallest even number of bits that holds the size; what falls outside is sent through
again until it falls inside (cycle walking), four times on average at most.
"""

from __future__ import annotations

from hashlib import shake_256

_ROUNDS = 6


def shuffled(index: int, size: int, seed: int) -> int:
    """The number at place `index` of the shuffle; each of `range(size)` stands at exactly one place."""
    if not 0 <= index < size:
        raise IndexError(index)
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    found = _permuted(index, half, seed)
    while found >= size:
        found = _permuted(found, half, seed)
    return found


def _permuted(number: int, half: int, seed: int) -> int:
    left, right = number >> half, number & ((1 << half) - 1)
    for turn in range(_ROUNDS):
        left, right = right, left ^ _mixed(right, half, f"{seed}/{turn}/")
    return left << half | right


def _mixed(number: int, half: int, key: str) -> int:
    digest = shake_256(f"{key}{number:x}".encode()).digest((half + 7) // 8)
    return int.from_bytes(digest) & ((1 << half) - 1)
