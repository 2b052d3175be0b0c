"""Stage collect_networks: the network of every evaluated variant, under the variant's own name.

Two variants may predict with the same network; `variants` in params.yaml says which one each reads. The files
are copies, so a later stage is up to date as long as the content of its own network is. Of a variant that has
several, those beside its own are <variant>.<argument>.pt, and <variant>.json has their digests: one file that
its evaluations depend on, however many there are.
"""

import hashlib
import json
import shutil
from pathlib import Path

from deltadistill.files import atomic
from deltadistill.pipeline import params, stage_arguments

FILE_NAMES = {"pretrain_teacher": "teacher.pt", "distill": "network.pt"}


def main() -> None:
    """Copy artifacts/<experiment>/seed<S>/<network>/….pt to networks/<variant>.pt."""
    args = stage_arguments.parse(__doc__, artifacts="one seed's artifacts; gets networks/")
    variants = params.load(args.params).variants
    with atomic.folder(args.artifacts / "networks") as folder:
        for name, variant in variants.items():
            _copy(args.artifacts, variant.network, folder / f"{name}.pt", variant=name)
            for argument, network in variant.networks.items():
                _copy(args.artifacts, network, folder / f"{name}.{argument}.pt", variant=name)
            digests = {argument: _digest(folder / f"{name}.{argument}.pt") for argument in variant.networks}
            (folder / f"{name}.json").write_text(json.dumps(digests, indent=1) + "\n")
    print(f"collected the networks of {len(variants)} variants: {', '.join(variants)}")


def _copy(artifacts: Path, network: str, target: Path, *, variant: str) -> None:
    stage = network.split("/")[0]
    source = artifacts / network / FILE_NAMES[stage]
    if not source.is_file():
        raise ValueError(f"{source}: no such network file, which variant {variant} needs; run {stage} first")
    shutil.copyfile(source, target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    stage_arguments.run(main)
