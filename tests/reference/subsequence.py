"""Windows as plain loops: every distance computed from its definition, nothing carried over from sample to sample."""

import math


def normalised(window):
    mean = math.fsum(window) / len(window)
    variance = math.fsum((one - mean) ** 2 for one in window) / len(window)
    return [(one - mean) / math.sqrt(variance) if variance > 1e-12 else 0.0 for one in window]


def distance(a, b):
    return math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(normalised(a), normalised(b), strict=True)))


def left_profile(values, length, history):
    """Per sample: distance of the newest stretch to the nearest of the `history` before it; None without one."""
    found = []
    for n in range(len(values)):
        i = n + 1 - length
        others = range(max(i - history, 0), i - length // 2) if i >= 0 else ()
        found.append(min((distance(values[i : i + length], values[j : j + length]) for j in others), default=None))
    return found


def subspace_error(values, basis, middle):
    length = len(middle)
    found = []
    for i in range(len(values) - length + 1):
        away = [x - c for x, c in zip(normalised(values[i : i + length]), middle, strict=True)]
        along = [math.fsum(x * b for x, b in zip(away, row, strict=True)) for row in basis]
        found.append(max(math.fsum(x * x for x in away) - math.fsum(a * a for a in along), 0.0))
    return found


def codebook_distance(values, words):
    length = len(words[0])
    return [
        min(
            math.sqrt(math.fsum((x - w) ** 2 for x, w in zip(normalised(values[i : i + length]), word, strict=True)))
            for word in words
        )
        for i in range(len(values) - length + 1)
    ]


def nearest_distance(values, pieces, length):
    others = [piece[j : j + length] for piece in pieces for j in range(len(piece) - length + 1)]
    return [min(distance(values[i : i + length], other) for other in others) for i in range(len(values) - length + 1)]
