"""Stage collect_networks: the network of every evaluated variant, under the variant's own name.

Two variants may predict with the same network; `variants` in params.yaml says which one each reads. The files
are copies, so a later stage is up to date as long as the content of its own network is.
"""

import shutil

from deltadistill.files import atomic
from deltadistill.pipeline import params, stage_arguments

FILE_NAMES = {"pretrain_teacher": "teacher.pt", "distill": "network.pt"}


def main() -> None:
    """Copy artifacts/<experiment>/seed<S>/<network>/….pt to networks/<variant>.pt."""
    args = stage_arguments.parse(__doc__, artifacts="one seed's artifacts; gets networks/")
    variants = params.load(args.params).variants
    with atomic.folder(args.artifacts / "networks") as folder:
        for name, variant in variants.items():
            stage = variant.network.split("/")[0]
            source = args.artifacts / variant.network / FILE_NAMES[stage]
            if not source.is_file():
                raise ValueError(
                    f"{source}: no such network file, which variant {name} needs; run {stage} first"
                )
            shutil.copyfile(source, folder / f"{name}.pt")
    print(f"collected the networks of {len(variants)} variants: {', '.join(variants)}")


if __name__ == "__main__":
    stage_arguments.run(main)
