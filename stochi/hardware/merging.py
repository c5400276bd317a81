"""Fewer distinct integers, for neurons that share the few settings of a core."""

import numpy as np


def merge_values(values: np.ndarray, most: int) -> np.ndarray:
    """At most so many distinct integers, with a small squared distance (k-means, from levels that
    are evenly spaced; the same every time).

    A merged value lies between the least and the largest of those that it replaces, so positive
    ones stay positive.

    Args:
        values: integers of any shape; where no more than ``most`` are distinct, they stay.
    """
    if len(np.unique(values)) <= most:
        return values
    from sklearn.cluster import KMeans

    column = values.reshape(-1, 1).astype(np.float64)
    spaced = np.linspace(values.min(), values.max(), most).reshape(-1, 1)
    clusters = KMeans(most, init=spaced, n_init=1).fit(column)
    levels = np.rint(clusters.cluster_centers_[:, 0]).astype(np.int64)
    return levels[clusters.labels_].reshape(values.shape)
