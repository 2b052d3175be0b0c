"""Time a teacher frame, a key frame and a delta frame in eager PyTorch on this machine.

All are timed in turns within one process, batch 1, at the data set's size, on two neighbouring test frames.
Ratios come first: the speedup at T is the median over rounds of teacher time to amortised time, beside the
ratio of MACs, which bounds it. Of the variants those are timed whose predictor says that it has delta frames.
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

    from deltadistill.account import latency, machine
    from deltadistill.data.frames import FrameStore
    from deltadistill.evaluation.frame_times import calls_to_time, describe_teacher, describe_variant, timed
    from deltadistill.evaluation.frames import frame_batch
    from deltadistill.pipeline import params as parameters
    from deltadistill.pipeline import provenance, tracking
    from deltadistill.pipeline.own_designs import import_own_designs
    from deltadistill.pipeline.results.files import write
    from deltadistill.pipeline.results.latency_file import Latency
    from deltadistill.predictors.predictor import has_delta_frames
    from deltadistill.stored.architecture import load_network

    params = parameters.load(args.params)
    mine, lengths = params.measure_latency, params.sweep_sequence_length.lengths
    variants = {name: each for name, each in params.variants.items() if has_delta_frames(each.predict)}
    import_own_designs(params, (entry.network for entry in params.variants.values()))
    with tracking.stage_run("measure_latency", params=params, folder=args.results) as run:
        torch.set_num_threads(mine.threads)
        store = FrameStore.open(args.data)
        clip = next(iter(store.manifest.clips("test").values()))
        before, now = (frame_batch(store, [frame]) for frame in clip[:2])
        networks = {
            name: load_network(args.networks / f"{name}.pt", own_names=[params.model.name]).to(
                memory_format=torch.channels_last
            )
            for name in ("teacher", *variants)
        }
        teacher = networks["teacher"]
        to_time = {
            name: timed(variant.predict, networks[name], before, options=variant.options)
            for name, variant in variants.items()
        }
        timings = latency.measure(
            calls_to_time(teacher, to_time, now),
            runs=mine.runs,
            warmup=mine.warmup,
            progress=lambda rounds: tqdm(rounds, desc="latency", unit="round"),
        )
        size = (3, *store.size)
        measured = {"teacher": describe_teacher(timings)}
        for name, each in to_time.items():
            measured[name] = describe_variant(timings, name, each, teacher, size=size, lengths=lengths)
            for length in lengths:
                run.log({f"speedup_{name}": measured[name]["speedup"][length]}, step=length)
        found = Latency(
            size=size,
            runs=mine.runs,
            threads=mine.threads,
            variants=measured,
            machine=machine.describe_machine(),
            versions=provenance.versions(),
        )
        write(args.results / "latency.json", found)


if __name__ == "__main__":
    stage_arguments.run(main)
