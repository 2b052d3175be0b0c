"""What a search counts as cost, by the names that params.yaml uses."""

from deltadistill.registry import Registry

COSTS = Registry(
    "search cost",
    {
        "macs": "deltadistill.distillation.search_macs:macs",
        "milliseconds": "deltadistill.distillation.search_milliseconds:milliseconds",
    },
)

BOUNDS = Registry(
    "bound of a search",
    {"memory_mib": "deltadistill.distillation.memory_choice:within_memory"},
)
