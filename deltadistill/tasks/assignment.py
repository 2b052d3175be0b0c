"""The cheapest assignment of rows to columns (Kuhn, 1955), by shortest paths with potentials."""

import numpy as np


def cheapest(costs: np.ndarray) -> np.ndarray:
    """The column of each row of costs (rows, columns), int64 (rows,), no column twice.

    The sum of what is chosen is the least there is. Raises ValueError for more rows than columns.
    """
    rows, columns = costs.shape
    if rows > columns:
        raise ValueError(f"{rows} rows cannot have one of {columns} columns each; turn the costs about")
    owner, of_rows, of_columns = np.full(columns, -1), np.zeros(rows), np.zeros(columns)
    for row in range(rows):
        _insert(row, costs, owner, of_rows, of_columns)
    chosen = np.empty(rows, np.int64)
    for column in np.flatnonzero(owner >= 0):
        chosen[owner[column]] = column
    return chosen


def _insert(
    row: int, costs: np.ndarray, owner: np.ndarray, of_rows: np.ndarray, of_columns: np.ndarray
) -> None:
    """Give a row a column by the shortest path of exchanges, and move the potentials along."""
    columns = costs.shape[1]
    shortest, before = np.full(columns, np.inf), np.full(columns, -1)
    visited, distance, column, at = np.zeros(columns, bool), 0.0, -1, row
    while at >= 0:
        reduced = distance + costs[at] - of_rows[at] - of_columns
        nearer = ~visited & (reduced < shortest)
        shortest[nearer], before[nearer] = reduced[nearer], column
        column = int(np.where(visited, np.inf, shortest).argmin())
        visited[column], distance, at = True, shortest[column], owner[column]
    reached = visited.copy()
    reached[column] = False
    of_rows[row] += distance
    of_rows[owner[reached]] += distance - shortest[reached]
    of_columns[reached] -= distance - shortest[reached]
    while column >= 0:
        last, column = column, before[column]
        owner[last] = row if column < 0 else owner[column]
