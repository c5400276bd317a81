"""Reduction of distinct integers, for neurons that share the few settings of a core."""

import numpy as np


def merge_values(values: np.ndarray, most: int) -> np.ndarray:
    """Merge integers into at most ``most`` distinct ones, with a small squared distance.

    The method is k-means from evenly spaced levels, so the result is the same every time. A merged
    value lies between the smallest and the largest of the values that it replaces, so positive
    values stay positive.

    Args:
        values: integers of any shape; unchanged if at most ``most`` of them are distinct.
        most: largest number of distinct integers in the result.

    Returns:
        Integers of the same shape.
    """
    if len(np.unique(values)) <= most:
        return values
    from sklearn.cluster import KMeans  # slow to import, and rarely needed

    column = values.reshape(-1, 1).astype(np.float64)
    spaced = np.linspace(values.min(), values.max(), most).reshape(-1, 1)
    clusters = KMeans(most, init=spaced, n_init=1).fit(column)
    levels = np.rint(clusters.cluster_centers_[:, 0]).astype(np.int64)
    return levels[clusters.labels_].reshape(values.shape)
