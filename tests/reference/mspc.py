"""The multi-scale bank as a plain loop over frames in float64, written from the formulas, not from the kernel."""

import math

import numpy as np


class PlainBank:
    """blocks: dicts with decay, lag, mean [D], loadings [D, K], weights [3, K], and per statistic a function ratio → -log10 p."""

    def __init__(self, blocks):
        self.blocks = blocks
        self.past = []
        self.ewma = {}

    def judge(self, frame):
        """Greatest -log10 p, the statistic's number, and all ratios [blocks][3]."""
        frame = np.asarray(frame, float)
        best, which, ratios = -1.0, -1, []
        for b, block in enumerate(self.blocks):
            vector = frame
            if block["decay"] < 1:
                level = self.ewma.get(b, np.zeros(len(frame)))
                vector = self.ewma[b] = level + block["decay"] * (frame - level)
            for back in range(1, block["lag"] + 1):
                earlier = self.past[-back] if len(self.past) >= back else (self.past[0] if self.past else frame)
                vector = np.concatenate([vector, earlier])
            u = [
                math.fsum((vector[d] - block["mean"][d]) * block["loadings"][d, k] for d in range(len(vector)))
                for k in range(block["loadings"].shape[1])
            ]
            mine = [math.fsum(w * x * x for w, x in zip(row, u, strict=True)) for row in block["weights"]]
            ratios.append(mine)
            for s, ratio in enumerate(mine):
                told = block["log_p"][s](ratio)
                if told > best:
                    best, which = told, 3 * b + s
        self.past.append(frame)
        return best, which, ratios
