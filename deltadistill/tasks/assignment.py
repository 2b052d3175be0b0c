"""The cheapest assignment of rows to columns, which scipy finds."""

import numpy as np


def cheapest(costs: np.ndarray) -> np.ndarray:
    """The column of each row of costs (rows, columns), int64 (rows,), no column twice.

    The sum of what is chosen is the least there is. Raises ValueError for more rows than columns, ImportError
    without scipy.
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise ImportError(
            "queries and objects are paired by scipy, which is not installed: "
            "pip install 'deltadistill[detection]'"
        ) from error
    rows, columns = costs.shape
    if rows > columns:
        raise ValueError(f"{rows} rows cannot have one of {columns} columns each; turn the costs about")
    return linear_sum_assignment(costs)[1].astype(np.int64)
