"""Machines add up to lines, lines to sites: the least change to all forecasts after which they do.

In: forecasts and error variances of all series. Out: forecasts whose sums agree, none below zero. MinT with a
diagonal covariance (Wickramasuriya, Athanasopoulos & Hyndman 2019, doi:10.1080/01621459.2018.1448825): what is
known well is moved little.
"""

import numpy as np

from twin.forecast.panel import Array

LEAST_VARIANCE = 1e-9


def sums_of(parts: list[tuple[int, ...]]) -> Array:
    """The summing matrix [S, B]: row s adds the bottom series that `parts[s]` names; a bottom series names itself
    only.

    Raises:
        ValueError: a part is not a bottom series.
    """
    bottom = [series for series, of in enumerate(parts) if of == (series,)]
    place = {series: column for column, series in enumerate(bottom)}
    matrix = np.zeros((len(parts), len(bottom)))
    for row, of in zip(matrix, parts, strict=True):
        for part in of:
            if part not in place:
                raise ValueError(f"series {part} is added up but is no bottom series itself")
            row[place[part]] = 1.0
    return matrix


def reconcile(centre: Array, variance: Array, summing: Array) -> Array:
    """[S, h] centre and [S] variance → [S, h] with `summing` [S, B] @ bottom equal to it in every row."""
    weight = 1.0 / np.maximum(variance, LEAST_VARIANCE)
    normal = (summing * weight[:, None]).T @ summing
    bottom = np.linalg.solve(normal, (summing * weight[:, None]).T @ centre)
    return summing @ np.maximum(bottom, 0.0)
