"""Time a teacher frame, a key frame and a delta frame in eager PyTorch on this machine.

All are timed in turns within one process, batch 1, at the data set's size, on two neighbouring test frames.
Ratios come first: the speedup at T is the median over rounds of teacher time to amortised time, beside the
ratio of MACs, which bounds it. Only variants that predict as a stream have key and delta frames.
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
    import torch
    from tqdm import tqdm

    from deltadistill.account import latency
    from deltadistill.account.frame_times import calls_to_time, describe_stream, describe_teacher, streams_of
    from deltadistill.data.frames import FrameStore
    from deltadistill.evaluation.frames import inputs
    from deltadistill.files.result_files import write_json
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import provenance, tracking
    from deltadistill.pipeline.own_designs import import_own_designs
    from deltadistill.stored.architecture import load_network

    params = parameters.load(args.params)
    mine, lengths = params.measure_latency, params.sweep_sequence_length.lengths
    names = ["teacher", *(name for name, variant in params.variants.items() if variant.predict == "stream")]
    import_own_designs(params, (entry.network for entry in params.variants.values()))
    with tracking.stage_run("measure_latency", params=params, folder=args.results) as run, torch.no_grad():
        torch.set_num_threads(mine.threads)
        store = FrameStore.open(args.data)
        clip = next(iter(store.manifest.clips("test").values()))
        before, now = (inputs(store, [frame]) for frame in clip[:2])
        networks = {
            name: load_network(args.networks / f"{name}.pt").to(memory_format=torch.channels_last)
            for name in names
        }
        teacher, streams = networks["teacher"], streams_of(networks, before)
        timings = latency.measure(
            calls_to_time(teacher, streams, now),
            runs=mine.runs,
            warmup=mine.warmup,
            progress=lambda rounds: tqdm(rounds, desc="latency", unit="round"),
        )
        size = (3, *store.size)
        measured = {"teacher": describe_teacher(timings)}
        for name, stream in streams.items():
            measured[name] = describe_stream(timings, name, stream, teacher, size=size, lengths=lengths)
            for length in lengths:
                run.log({f"speedup_{name}": measured[name]["speedup"][length]}, step=length)
        write_json(
            args.results / "latency.json",
            {
                "size": size,
                "runs": mine.runs,
                "threads": mine.threads,
                "variants": measured,
                "machine": latency.describe_machine(),
                "versions": provenance.versions(),
            },
        )


if __name__ == "__main__":
    stage_arguments.run(main)
