"""The engines, by name."""

from deltadistill.registry import Registry

ENGINES = Registry("engine", {"eager": "deltadistill.runtime.eager:load"})
