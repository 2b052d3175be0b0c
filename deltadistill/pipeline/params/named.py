"""Values of params.yaml that name an entry of a registry, or a user's own as package.module:name."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import AfterValidator, BaseModel, WithJsonSchema

from deltadistill.registry import Registry


def named_in(registry: Registry, *, or_none: bool = False, or_any: str | None = None) -> Any:
    """The type of a value, of a list's item or of a mapping's key, that names an entry of `registry`.

    or_none: it may be None. or_any: a word that it may be as well, which stands for any of the entries.
    """

    def known(name: str | None) -> str | None:
        if name not in (None, or_any):
            registry.path(name)
        return name

    own = {"type": "string", "pattern": r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"}
    words = [*registry, *([or_any] if or_any else [])]
    schema = {"anyOf": [{"enum": words}, own, *([{"type": "null"}] if or_none else [])]}
    return Annotated[str | None if or_none else str, AfterValidator(known), WithJsonSchema(schema), registry]


def named_entries(section: BaseModel) -> Iterator[str]:
    """The import paths of all entries that a section names, at any depth."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        registries = [extra for extra in field.metadata if isinstance(extra, Registry)]
        if registries and isinstance(value, str):
            yield registries[0].path(value)
            continue
        if (registry := _registry_within(field.annotation)) and isinstance(value, Mapping | list):
            for each in value:
                yield from _paths(registry, each)
        yield from _inside(value)


def _paths(registry: Registry, name: str) -> Iterator[str]:
    """The import path of an entry; of a word that stands for any entry, all of them."""
    if registry.knows(name):
        yield registry.path(name)
    else:
        yield from registry.entries.values()


def _registry_within(annotation: Any) -> Registry | None:
    """The registry whose entries are the keys of a mapping, or the items of a list, of this type."""
    if get_origin(annotation) not in (dict, list):
        return None
    names = get_args(annotation)[0]
    return next((extra for extra in getattr(names, "__metadata__", ()) if isinstance(extra, Registry)), None)


def _inside(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from named_entries(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _inside(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _inside(inner)
