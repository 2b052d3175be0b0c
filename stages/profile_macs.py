"""Count multiply-accumulates per layer: the teacher's, and the compressed student's of every block.

No weights and no frames are read: operators and shapes decide (meta tensors). Totals are given in two
conventions: "convolution" (convolutions and matrix products, no bias) and "published" (plus bias, batch
norm and ReLU); what neither counts is listed. "delta" has every convertible layer compressed.
"""

from deltadistill.pipeline import stage_arguments


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder of manifest.csv: frame size, classes",
        results="folder for macs.csv, totals.json, macs.png",
    )
    from deltadistill import models
    from deltadistill.account import macs_figure as figure
    from deltadistill.account.layer_rows import layer_rows
    from deltadistill.account.macs import count_macs
    from deltadistill.blocks.delta_network import delta_blocks
    from deltadistill.blocks.designs import shape_design
    from deltadistill.conversion.convert import convert
    from deltadistill.conversion.registry import SELECTORS
    from deltadistill.data.manifest import Manifest
    from deltadistill.files import atomic
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import tracking
    from deltadistill.pipeline.results.files import records, write
    from deltadistill.pipeline.results.macs_files import MacLayer, MacTotals

    params = parameters.load(args.params)
    students, lengths = params.distill.students, params.sweep_sequence_length.lengths
    with tracking.stage_run("profile_macs", params=params, folder=args.results) as run:
        info = Manifest.read(args.data / "manifest.csv").info
        size = (3, *info.size)
        teacher = models.build_shapes(params.model.name, classes=len(info.classes), **params.model.options)
        network = convert(
            teacher,
            shape_design(students.design),
            SELECTORS.find(students.where),
        )
        for block in delta_blocks(network).values():
            if block.candidates:
                block.decide("compressed")
        tables = {name: count_macs(network, size, convention=name) for name in ("convolution", "published")}
        totals = {name: _totals(table, lengths) for name, table in tables.items()}
        uncounted = [vars(row) for row in tables["published"].uncounted]
        found = MacTotals(size=size, **totals, uncounted=uncounted)
        write(args.results / "totals.json", found)
        rows = records(MacLayer, layer_rows(network, tables["convolution"]))
        write(args.results / "macs.csv", rows, kind=MacLayer)
        parts = {row.layer: row.part for row in rows}
        with atomic.file(args.results / "macs.png") as unfinished:
            drawn = figure.draw(tables["convolution"].rows, parts, layers=params.profile_macs.figure_layers)
            figure.write(drawn, unfinished)
        run.figure(args.results / "macs.png")
        for length in lengths:
            run.log({"gmacs": found.convolution.amortised[length] / 1e9}, step=length)


def _totals(table, lengths):  # noqa: ANN001
    amortised = {length: round(table.amortised(length)) for length in lengths}
    return {"teacher": table.teacher, "key": table.key, "delta": table.delta, "amortised": amortised}


if __name__ == "__main__":
    stage_arguments.run(main)
