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
        teacher="the per-frame teacher",
        artifacts="one seed's artifacts, with distill/<training>/network.pt",
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
        variants = _variants(params, args)
        conditions, left_out = _timed(params, variants, store)
        found = Latency(
            size=size,
            conditions=conditions,
            macs_bound=macs_bounds(variants, lengths, size=size, store=store),
            left_out=left_out,
            machine=describe_machine(),
            versions=provenance.versions(),
        )
        for name, length in ((name, length) for name in variants for length in lengths):
            if fastest := found.shown.fastest(name, length):
                run.log({f"speedup_{name}": fastest[1].speedup_at(length)}, step=length)
        write(args.results / "latency.json", found)


def _variants(params, args):  # noqa: ANN001
    import torch

    from deltadistill.evaluation.timed_variants import Variant
    from deltadistill.pipeline.own_designs import import_own_designs
    from deltadistill.stored.architecture import load_network

    entries = params.variants
    wanted = [name for each in entries.values() for name in (each.network, *each.networks.values())]
    import_own_designs(params, wanted)
    networks = {}
    for name in dict.fromkeys(wanted):
        file = args.teacher if name == "pretrain_teacher" else args.artifacts / name / "network.pt"
        network = load_network(file, own_names=[params.model.name])
        networks[name] = network.to(memory_format=torch.channels_last)
    return {
        name: Variant(
            entry.predict,
            networks[entry.network],
            entry.options,
            {argument: networks[each] for argument, each in entry.networks.items()},
        )
        for name, entry in entries.items()
    }


def _timed(params, variants, store):  # noqa: ANN001
    from tqdm import tqdm

    from deltadistill.evaluation.quickest_engines import engines_to_time
    from deltadistill.evaluation.timed_variants import conditions_of, graphs_of, time_variants
    from deltadistill.tasks import of_dataset as tasks

    mine, lengths = params.measure_latency, params.sweep_sequence_length.lengths
    task = tasks.build(store.manifest.info, boxes=params.boxes.model_dump(), named=params.task)
    rounds = {"runs": mine.runs, "warmup": mine.warmup, "seconds": mine.seconds}
    conditions = conditions_of(mine.batches, mine.threads, mine.precisions, **rounds)
    found, left_out = [], []
    with graphs_of(variants) as graphs:
        common = {"graphs": graphs, "lengths": lengths}
        engines = engines_to_time(mine.engines, variants, task, store, conditions[0], **common)
        for condition in conditions:
            said = f"{condition.batch} at once, threads: {condition.threads}, {condition.precision}"
            timed = time_variants(
                variants,
                engines,
                task,
                store,
                condition,
                **common,
                progress=lambda rounds, said=said: tqdm(rounds, desc=said, unit="round"),
            )
            found += [timed.entry] if timed.entry else []
            left_out += [each for each in timed.left_out if each not in left_out]
    if not found:
        reasons = "; ".join(f"{each['engine']}: {each['reason']}" for each in left_out)
        raise ValueError(f"the teacher could be timed in none of the engines {engines}: {reasons}")
    return found, left_out


if __name__ == "__main__":
    stage_arguments.run(main)
