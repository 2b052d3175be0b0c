"""What maps that move with the picture cost and bring, on a detector and a video of your own.

    python benchmarks/moved_maps.py artifacts/real_nanodet/seed0/networks/delta_moved.pt downloads/vtest.avi \
        --allow examples/nanodet.py:for_pipeline --truth downloads/pets09_s2l1_gt.txt

run where `make experiment EXPERIMENT=real_nanodet` has been. The network is a delta network as the pipeline
keeps it. Times are medians of calls in turns, on pictures of the video: a frame in full, a key frame, a delta
frame with its maps at rest and moved (all that moving takes in it), and the flow since the key frame, which
every moved delta frame needs. "A frame" is over a whole period, flow and moving counted, against the fastest
per-frame engine. With --truth the boxes of people are scored too, every frame of the part, by AP at IoU 0.5.
"""

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch

import deltadistill as dd
from deltadistill.acceleration.average_precision import average_precision, hits
from deltadistill.acceleration.mot_truth import read_mot
from deltadistill.account.latency import Timings, measure_turns
from deltadistill.data.frames import MEAN, STD
from deltadistill.motion.cells import CellMotion
from deltadistill.runtime.between import FlowForm
from deltadistill.runtime.engine import engines_for, open_session
from deltadistill.runtime.key_motion import KeyMotion
from deltadistill.runtime.map_motion import MapMotion
from deltadistill.runtime.runner import graphs_in
from deltadistill.runtime.runner_file import read_description
from deltadistill.stored.architecture import load_network
from deltadistill.video.fitting import fitted
from deltadistill.video.source import open_source

ENGINES = ("onnxruntime", "openvino")
CLOCKS = {"wall": time.perf_counter_ns, "processor": time.process_time_ns}


def main() -> None:
    """Measure and print."""
    args = _arguments()
    torch.set_num_threads(1)
    cv2.setNumThreads(args.threads)
    network = load_network(args.network, own_names=args.allow)
    size = tuple(network.image_size or args.size)
    pictures, frames = _read(args, size)
    with TemporaryDirectory(prefix="deltadistill-") as place:
        folders = dict(_written(network, size, frames[0], Path(place), args))
        if args.rounds:
            _print_times(folders, frames, args)
        if args.truth:
            _print_scores(network, folders, frames, pictures, args)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", type=Path, help="a network file of the pipeline")
    parser.add_argument("video")
    parser.add_argument("--allow", nargs="*", default=[], help="builders of your own that may be called")
    parser.add_argument("--size", type=int, nargs=2, default=[416, 416], help="where the network has none")
    parser.add_argument("--part", type=int, nargs=2, default=[500, 790], help="frames of the video, from 0")
    parser.add_argument("--preset", default="fast", help="of DIS flow")
    parser.add_argument("--side", type=int, default=416, help="of the pictures that flow is found in")
    parser.add_argument("--coarsest", type=float, nargs="*", default=[8], help="beside all maps that move")
    parser.add_argument("--least", type=float, nargs="*", default=[0, 0.05])
    parser.add_argument("--lengths", type=int, nargs="*", default=[3, 5, 10, 20])
    parser.add_argument("--distance", type=int, default=5, help="frames from the key frame to what is timed")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20, help="0: no times")
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall", help="processor: beside other work")
    parser.add_argument("--truth", type=Path, help="boxes of people, as MOT text")
    return parser.parse_args()


def _read(args: argparse.Namespace, size: tuple[int, int]) -> tuple[tuple[int, int], list[np.ndarray]]:
    """Height and width of the video's pictures, and its part as frames uint8 (1, h, w, 3)."""
    source = open_source(args.video)
    try:
        found = [frame.pixels for frame in islice(source.frames(), *args.part)]
    finally:
        source.close()
    return found[0].shape[:2], [fitted(pixels, size, "stretch")[None] for pixels in found]


def _written(
    network: torch.nn.Module, size: tuple[int, int], frame: np.ndarray, place: Path, args: argparse.Namespace
) -> Iterator[tuple[str, Path]]:
    """Runners by what they do: maps at rest, and each way to move them."""
    form = dd.PictureForm(size=size, mean=MEAN, deviation=STD)
    flow = FlowForm(preset=args.preset, side=args.side)
    motions = {"at rest": None} | {
        f"{'all' if coarsest is None else f'to 1/{coarsest:g}'}, least {least:g}": MapMotion(
            flow=flow, coarsest=coarsest, least=least
        )
        for coarsest in (None, *args.coarsest)
        for least in args.least
    }
    for name, motion in motions.items():
        folder = place / name.replace("/", " of ")
        dd.export(network, folder, example=torch.from_numpy(frame), pictures=form, motion=motion)
        yield name, folder


def _print_times(folders: dict[str, Path], frames: list[np.ndarray], args: argparse.Namespace) -> None:
    graphs = {name: graphs_in(folder, read_description(folder)) for name, folder in folders.items()}
    names = [name for name in engines_for(graphs["at rest"])[0] if name in ENGINES]
    timings = _timed(folders, graphs, names, frames, args)
    best = min(timings.median_ms((name, "frame")) for name in names)
    flow = timings.median_ms("flow")
    print(f"flow {flow:.1f} ms; per frame at best {best:.1f} ms; all in ms, and times per-frame speed")
    for name in names:
        frame, key = (timings.median_ms((name, what)) for what in ("frame", "key"))
        print(f"\n{name}: frame {frame:.1f}, key {key:.1f}")
        for way in folders:
            delta = timings.median_ms((name, way))
            later = delta + (flow if way != "at rest" else 0)
            means = {length: (key + (length - 1) * later) / length for length in args.lengths}
            told = "  ".join(f"T={n} {mean:.1f} ×{best / mean:.2f}" for n, mean in means.items())
            print(f"  {way:22} delta {delta:5.1f}, {len(graphs[way].moved):2} maps move   a frame: {told}")


def _timed(folders, graphs, names, frames, args) -> Timings:
    """Everything in turns."""
    first, later = frames[0], frames[args.distance]
    forms = {way: read_description(folder).motion for way, folder in folders.items()}
    motion = KeyMotion(next(form for form in forms.values() if form is not None))
    motion.see(first, is_key=True)
    flows = [each.flow for each in motion.see(later, is_key=False)]
    print(f"{np.mean(flows[0].any(-1)):.2f} of the pixels move from the key frame to what is timed")
    turns = [[("flow", lambda: motion.see(later, is_key=False))]]
    for name in names:
        for way in folders:
            session = open_session(graphs[way], name, threads=args.threads)
            maps, spare = session.key(first)[1], session.key(first)[1]
            if forms[way] is None:
                turns.append([((name, "frame"), lambda s=session: s.frame(later))])
                turns.append([((name, "key"), lambda s=session, m=spare: s.key(first, into=m))])
                turns.append([((name, way), lambda s=session, m=maps: s.delta(later, m))] * 2)
            else:
                turns.append([((name, way), _moving(session, later, maps, flows, forms[way].least))] * 2)
    return measure_turns(turns, runs=args.rounds, warmup=2, clock_ns=CLOCKS[args.clock])


def _moving(session, later, maps, flows, least):
    """A delta frame with what its flow does to every map worked out anew, as it is in a stream."""
    return lambda: session.delta(later, maps, tuple(CellMotion(flow, least=least) for flow in flows))


def _print_scores(network, folders, frames, pictures, args) -> None:
    """AP of every way at every period."""
    truth = read_mot(args.truth)
    scale = np.tile(np.array(pictures)[::-1] / frames[0].shape[2:0:-1], 2)

    def score(folder: Path, period: int) -> float:
        runner = dd.Runner(folder, engine="onnxruntime", threads=args.threads, period=period)
        records = []
        for number, frame in enumerate(frames, start=args.part[0]):
            found = network.decode(runner(frame))
            wanted = truth.boxes.get(number, np.zeros((0, 4)))
            boxes = {**found, "boxes": np.asarray(found["boxes"]) * scale}
            records.append(hits(wanted, np.zeros(len(wanted), np.int64), boxes))
        return 100 * average_precision(records)

    print(f"\nAP at IoU 0.5: per frame {score(folders['at rest'], 1):.1f}")
    for way, folder in folders.items():
        print(f"  {way:22} " + "  ".join(f"T={n} {score(folder, n):.1f}" for n in args.lengths))


if __name__ == "__main__":
    main()
