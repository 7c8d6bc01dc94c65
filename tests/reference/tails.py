"""A stream of block maxima as a plain list: p-values counted, the tail's moments by summing up small steps."""

import math

EDGES = [0.0, 0.625, 0.75, 0.875]
EDGES += [1 + k / 16 for k in range(16)] + [2 + k / 4 for k in range(8)] + [4.0, 5.5, 8.0, 16.0]


def bin_of(ratio):
    """The last bin whose edge is not above the ratio."""
    return max(k for k, edge in enumerate(EDGES) if edge <= ratio)


class Stream:
    """Everything that was ever seen of one stream."""

    def __init__(self):
        self.first, self.bins = [], []

    def observe(self, greatest):
        if len(self.first) < 8:
            self.first.append(greatest)
        else:
            self.bins.append(bin_of(greatest / self.unit))

    @property
    def unit(self):
        return sum(self.first) / 8

    def above(self, k):
        return sum(one >= k for one in self.bins)

    def threshold(self):
        least = max(10, int(len(self.bins) * 0.1))
        return max(k for k in range(32) if k == 0 or self.above(k) >= least)

    def moments(self, k, steps=4000):
        """∫ S and ∫ S² beyond edge k, S falling exponentially within a bin, numerically."""
        first = second = 0.0
        for j in range(k, 32):
            width = (EDGES[j + 1] if j < 31 else 2 * EDGES[31]) - EDGES[j]
            left = self.above(j) / self.above(k)
            if left == 0:
                break
            right = max(self.above(j + 1) / self.above(k) if j < 31 else 0.0, 0.1 / self.above(k))
            for step in range(steps):
                height = left * (right / left) ** ((step + 0.5) / steps)
                first += height * width / steps
                second += height * height * width / steps
        return first, second

    def tail(self):
        """Threshold, shape, scale."""
        k = self.threshold()
        first, second = self.moments(k)
        beyond = self.above(k)
        shape = min(max(2 - first / (first - second), -0.5), 0.5)
        shape = min(max((beyond * shape + 10 * 0.1) / (beyond + 10), 0), 0.5)
        return k, shape, first * (1 - shape)

    def p(self, score):
        ratio = score / self.unit
        k, shape, scale = self.tail()
        if ratio <= EDGES[k]:
            return (1 + self.above(bin_of(ratio))) / (len(self.bins) + 1)
        beyond = (ratio - EDGES[k]) / scale
        left = math.exp(-beyond) if shape < 1e-6 else math.pow(1 + shape * beyond, -1 / shape)
        counted = self.above(bin_of(ratio) + 1) / (len(self.bins) + 1)
        return max(self.above(k) / len(self.bins) * left, counted, 1e-30)
