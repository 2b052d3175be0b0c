"""Time every variant's key and delta frames on this machine, in each engine, network alone and end to end.

All are timed in turns within one process, on test frames at the data set's size, for every number of streams
and of processor threads that the parameters name. Speed-ups are medians over rounds, over the teacher on
every frame in the engine that is the fastest for it.
"""

from deltadistill.pipeline import stage_arguments


def main() -> None:
    """Run the stage."""
    args = stage_arguments.parse(
        __doc__,
        data="folder of manifest.csv",
        networks="folder with teacher.pt and <variant>.pt",
        results="folder for latency.json",
    )
    from deltadistill.account.machine import describe_machine
    from deltadistill.data.frames import FrameStore
    from deltadistill.evaluation.timed_variants import macs_bounds
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import provenance, tracking
    from deltadistill.pipeline.results.files import write
    from deltadistill.pipeline.results.latency_file import Latency

    params = parameters.load(args.params)
    lengths = params.sweep_sequence_length.lengths
    with tracking.stage_run("measure_latency", params=params, folder=args.results) as run:
        store = FrameStore.open(args.data, cache_gib=0)  # reading a picture is part of the time
        size = (3, *store.size)
        variants = _variants(params, args.networks)
        conditions, left_out = _timed(params, variants, store)
        found = Latency(
            size=size,
            conditions=conditions,
            macs_bound=macs_bounds(variants, lengths, size=size),
            left_out=left_out,
            machine=describe_machine(),
            versions=provenance.versions(),
        )
        for name, length in ((name, length) for name in variants for length in lengths):
            if fastest := found.shown.fastest(name, length):
                run.log({f"speedup_{name}": fastest[1].speedup_at(length)}, step=length)
        write(args.results / "latency.json", found)


def _variants(params, folder):  # noqa: ANN001
    import torch

    from deltadistill.evaluation.timed_variants import Variant
    from deltadistill.pipeline.own_designs import import_own_designs
    from deltadistill.stored.architecture import load_network

    import_own_designs(params, (entry.network for entry in params.variants.values()))
    variants = {}
    for name, entry in params.variants.items():
        network = load_network(folder / f"{name}.pt", own_names=[params.model.name])
        network = network.to(memory_format=torch.channels_last)
        variants[name] = Variant(entry.predict, network, entry.options)
    return variants


def _timed(params, variants, store):  # noqa: ANN001
    from tqdm import tqdm

    from deltadistill.evaluation.timed_variants import conditions_of, time_variants
    from deltadistill.tasks import of_dataset as tasks

    mine = params.measure_latency
    task = tasks.build(store.manifest.info, boxes=params.boxes.model_dump(), named=params.task)
    found, left_out = [], []
    rounds = {"runs": mine.runs, "warmup": mine.warmup, "seconds": mine.seconds}
    for condition in conditions_of(mine.batches, mine.threads, **rounds):
        said = f"latency, {condition.batch} at once, threads: {condition.threads}"
        entry, missing = time_variants(
            variants,
            ["eager"],
            task,
            store,
            condition,
            lengths=params.sweep_sequence_length.lengths,
            progress=lambda rounds, said=said: tqdm(rounds, desc=said, unit="round"),
        )
        found.append(entry)
        left_out += [each for each in missing if each not in left_out]
    return found, left_out


if __name__ == "__main__":
    stage_arguments.run(main)
