"""Faults are collected over a whole pass and reported together: one run shows all there is to mend."""

_SHOWN = 30  # the rest is only counted


def raise_faults(source: object, faults: list[str]) -> None:
    """ValueError that names `source` and lists the faults; nothing if there are none."""
    if not faults:
        return
    shown = "".join(f"\n  {fault}" for fault in faults[:_SHOWN])
    more = f"\n  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    raise ValueError(f"{source} has {len(faults)} fault{'s' if len(faults) > 1 else ''}:{shown}{more}")
