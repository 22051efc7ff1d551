"""Losses over embeddings beside pytorch-metric-learning: forward and backward, time, extra memory, and equal values.

Run: python benchmarks/losses.py [--backends tensorflow,jax] [--sizes 128,512,2048] [--only triplet] [--repeat 15]

128-dimensional embeddings of 16 balanced classes (two samples a class where a name ends in "pairs"), the same ones for
all. Each cell is a process of its own with two threads. Time is the median of the steps after the second; memory is the
peak of the resident set in the second step, less what was resident before the first. Ours are compiled as `fit`
compiles them: tf.function for any batch size on TensorFlow, jax.jit on JAX. What doesn't finish its first step within
the time limit, or needs more memory than the limit, is reported so. Linux only.

Goals, the first backend's: all and semi-hard triplets 10 times as fast as the peer at 512, NT-Xent 100 times at 128, no
loss slower than its peer, and everything at 2,048 in less than 1 GB. Exit 1 where one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

DIMENSIONS = 128
CLASSES = 16
PEER = "pytorch-metric-learning"
MEMORY_GOAL_MB = 1000
MEMORY_GOAL_SIZE = 2048
VALUE_TOLERANCE = 1e-4
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One loss: ours by name and arguments, the peer's, and how many times as fast it should be at which size."""

    ours: str
    arguments: dict[str, Any]
    peer: str
    peer_arguments: dict[str, Any]
    miner: str | None = None
    miner_arguments: dict[str, Any] | None = None
    goals: tuple[tuple[int, float], ...] = ()
    pairs: bool = False
    has_classes: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What one process measured: milliseconds, megabytes, the loss; or why there is nothing."""

    milliseconds: list[float]
    megabytes: float = 0.0
    value: float = 0.0
    why: str = ""


TENFOLD = ((512, 10.0),)
_TRIPLET: dict[str, Any] = {"margin": 0.2}
CASES = {
    "triplet, all": Case("TripletLoss", {"mining": "all", **_TRIPLET}, "TripletMarginLoss", _TRIPLET, goals=TENFOLD),
    "triplet, semi-hard": Case(
        "TripletLoss",
        {"mining": "semi-hard all", **_TRIPLET},
        "TripletMarginLoss",
        _TRIPLET,
        "TripletMarginMiner",
        {"type_of_triplets": "semihard", **_TRIPLET},
        TENFOLD,
    ),
    "triplet, one semi-hard": Case("TripletLoss", {"mining": "semi-hard", **_TRIPLET}, "", {}),
    "triplet, batch-hard": Case(
        "TripletLoss", {"mining": "hard", **_TRIPLET}, "TripletMarginLoss", _TRIPLET, "BatchHardMiner", {}
    ),
    "contrastive": Case("ContrastiveLoss", {}, "ContrastiveLoss", {}),
    "n-pairs": Case("NPairsLoss", {"normalize": True}, "NPairsLoss", {}),
    "multi-similarity": Case("MultiSimilarityLoss", {}, "MultiSimilarityLoss", {}),
    "multi-similarity, mined": Case(
        "MultiSimilarityLoss", {"miner": "MultiSimilarityMiner"}, "MultiSimilarityLoss", {}, "MultiSimilarityMiner", {}
    ),
    "nt-xent": Case("NTXentLoss", {}, "NTXentLoss", {}, goals=((128, 100.0),)),
    "nt-xent, pairs": Case("NTXentLoss", {}, "NTXentLoss", {}, pairs=True),
    "sup-con": Case("SupConLoss", {}, "SupConLoss", {}),
    "sup-con, pairs": Case("SupConLoss", {}, "SupConLoss", {}, pairs=True),
    "ArcFace, 100 classes": Case(
        "ArcFaceLoss", {}, "ArcFaceLoss", {"margin": float(np.degrees(0.5))}, has_classes=True
    ),
    "AM-softmax, 100 classes": Case("AMSoftmaxLoss", {}, "CosFaceLoss", {"scale": 30}, has_classes=True),
}


def main() -> int:
    """Print a line for each loss and size; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--backends", default="tensorflow,jax", help="of ours; the goals are the first one's")
    parser.add_argument("--sizes", default="128,512,2048", help="batch sizes")
    parser.add_argument("--only", default="", help="losses whose name holds this")
    parser.add_argument("--repeat", type=int, default=15, help="repetitions of each, for half a second at least")
    parser.add_argument("--seconds", type=int, default=75, help="time limit of a process's first step")
    parser.add_argument("--gigabytes", type=int, default=8, help="memory limit of a process")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(asdict(measure(*json.loads(arguments.cell)))))
        return 0
    return compare(arguments)


def compare(arguments: argparse.Namespace) -> int:
    """Run every cell in its own process."""
    backends = arguments.backends.split(",")
    columns = "".join(f"{f'{name}: ms / MB':>28}{'times as fast':>15}" for name in backends)
    print(f"{'loss':<25}{'batch':>6}{f'{PEER}: ms / MB':>36}{columns}")
    missed: list[str] = []
    for name in (name for name in CASES if arguments.only in name):
        for size in map(int, arguments.sizes.split(",")):
            peer = run(name, PEER, size, arguments) if CASES[name].peer else Result([], why="none")
            line = f"{name:<25}{size:>6}{shown(peer):>36}"
            for backend in backends:
                result = run(name, backend, size, arguments)
                line += f"{shown(result):>28}{ratio(peer, result):>15}"
                missed += faults(name, size, backend, backend == backends[0], peer, result)
            print(line, flush=True)
    print("\n".join(["", *missed]) if missed else "\nall goals met")
    return int(bool(missed))


def run(name: str, library: str, size: int, arguments: argparse.Namespace) -> Result:
    """One cell in a process of its own."""
    cell = json.dumps([name, library, size, arguments.repeat, arguments.seconds, arguments.gigabytes])
    command = [sys.executable, __file__, "--cell", cell]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "MKL_NUM_THREADS"), "2")
    backend = {} if library == PEER else {"KERAS_BACKEND": library}
    environment = {**os.environ, **threads, **backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if process.returncode == 0:
        return Result(**json.loads(process.stdout.splitlines()[-1]))
    if process.returncode == -signal.SIGALRM:
        return Result([], why=f"not done in {arguments.seconds} s")
    if "memory" in process.stderr.lower() or process.returncode < 0:
        return Result([], why=f"more than {arguments.gigabytes} GB")
    raise SystemExit(f"{name} of {library} at {size}: {process.stderr[-2000:]}")


def measure(name: str, library: str, size: int, repeat: int, seconds: int, gigabytes: int) -> Result:
    """Time and memory of whole steps, in this process, which ends where a limit is exceeded."""
    case = CASES[name]
    make_step = peer_step if library == PEER else TENSORFLOW_OR_JAX[library]
    step = make_step(case, *batch(case, size))
    resource.setrlimit(resource.RLIMIT_AS, (virtual_bytes() + gigabytes * 2**30,) * 2)
    before = status_kb("VmRSS")
    signal.alarm(seconds)
    step()
    signal.alarm(0)
    forget_peak()
    value = step()
    megabytes = (status_kb("VmHWM") - before) / 1024
    milliseconds: list[float] = []
    while (len(milliseconds) < repeat or sum(milliseconds) < 500) and sum(milliseconds) < 20_000:
        start = time.perf_counter()
        step()
        milliseconds.append(1000 * (time.perf_counter() - start))
    return Result(milliseconds, megabytes, value)


def batch(case: Case, size: int) -> tuple[Array, Array, Array]:
    """Embeddings, labels and, for margins, class weights: the same in every process."""
    generator = np.random.Generator(np.random.Philox(0))
    embeddings = generator.standard_normal((size, DIMENSIONS), dtype=np.float32)
    labels = np.arange(size) % (size // 2 if case.pairs else CLASSES)
    class_weights = generator.standard_normal((100, DIMENSIONS), dtype=np.float32)
    return embeddings, generator.permutation(labels).astype("int32"), class_weights


def peer_step(case: Case, embeddings: Array, labels: Array, class_weights: Array) -> Callable[[], float]:
    """Forward and backward with pytorch-metric-learning."""
    import torch
    from pytorch_metric_learning import losses, miners

    torch.set_num_threads(2)
    extra = {"num_classes": 100, "embedding_size": DIMENSIONS} if case.has_classes else {}
    loss = getattr(losses, case.peer)(**case.peer_arguments, **extra)
    if case.has_classes:
        loss.W = torch.nn.Parameter(torch.tensor(class_weights.T.copy()))
    miner = getattr(miners, case.miner)(**case.miner_arguments or {}) if case.miner else None

    def step(rows: int = len(labels)) -> float:
        tensor, classes = torch.tensor(embeddings[:rows], requires_grad=True), torch.tensor(labels[:rows]).long()
        value = loss(tensor, classes, miner(tensor, classes) if miner else None)
        value.backward()
        return float(value.detach())

    step(min(64, len(labels)))
    return step


def our_loss(case: Case) -> Callable[[Any, Any, Any], Any]:
    """One of our losses, of embeddings, labels and class weights."""
    import zoo_metric_learning as zoo
    from zoo_metric_learning.distances import similarities

    arguments = dict(case.arguments)
    if "miner" in arguments:
        arguments["miner"] = getattr(zoo, arguments["miner"])()
    loss = getattr(zoo, case.ours)(**arguments)
    if case.has_classes:
        return lambda embeddings, labels, weights: loss(labels, similarities(embeddings, weights))
    return lambda embeddings, labels, weights: loss(labels, embeddings)


def tensorflow_step(case: Case, embeddings: Array, labels: Array, class_weights: Array) -> Callable[[], float]:
    """Forward and backward in a tf.function, as `fit` runs it."""
    import tensorflow as tf

    loss = our_loss(case)
    inputs = [tf.constant(embeddings), tf.constant(labels), tf.constant(class_weights)]

    def compute(embeddings: Any, labels: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([embeddings, weights])
            value = loss(embeddings, labels, weights)
        sources = [embeddings, weights] if case.has_classes else [embeddings]
        return value, [tf.convert_to_tensor(gradient) for gradient in tape.gradient(value, sources)]

    # What surrounds the loss in `fit` is compiled for batches of any size.
    shapes = [tf.TensorSpec([None, DIMENSIONS]), tf.TensorSpec([None], tf.int32), tf.TensorSpec([100, DIMENSIONS])]
    function = tf.function(compute, input_signature=shapes, autograph=False)
    function.get_concrete_function()

    def step() -> float:
        value, gradients = function(*inputs)
        for gradient in gradients:
            gradient.numpy()
        return float(value)

    return step


def jax_step(case: Case, embeddings: Array, labels: Array, class_weights: Array) -> Callable[[], float]:
    """Forward and backward in jax.jit, as `fit` runs it."""
    import jax
    import jax.numpy as jnp

    loss = our_loss(case)

    def compute(sources: tuple[Any, ...], labels: Any, weights: Any) -> Any:
        return loss(sources[0], labels, sources[1] if case.has_classes else weights)

    inputs = jnp.asarray(embeddings), jnp.asarray(labels), jnp.asarray(class_weights)
    sources = (inputs[0], inputs[2]) if case.has_classes else (inputs[0],)
    function = jax.jit(jax.value_and_grad(compute))

    def step() -> float:
        value, gradients = function(sources, *inputs[1:])
        jax.block_until_ready(gradients)
        return float(value)

    return step


TENSORFLOW_OR_JAX = {"tensorflow": tensorflow_step, "jax": jax_step}


def status_kb(name: str) -> int:
    """A number of this process's, in kB: VmRSS, its memory; VmHWM, the peak of it; VmSize, its addresses."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def virtual_bytes() -> int:
    """What the process has mapped."""
    return status_kb("VmSize") * 1024


def forget_peak() -> None:
    """Let the peak start again from what the process holds now."""
    Path("/proc/self/clear_refs").write_text("5")


def shown(result: Result) -> str:
    """Median, range and memory."""
    if result.why:
        return result.why
    times = result.milliseconds
    return f"{statistics.median(times):.1f} ({min(times):.1f}-{max(times):.1f}) / {max(result.megabytes, 0):.0f}"


def ratio(peer: Result, ours: Result) -> str:
    """How many times as fast as the peer."""
    if peer.why or ours.why:
        return "-"
    return f"{speedup(peer, ours):.1f}"


def speedup(peer: Result, ours: Result) -> float:
    """The peer's median by ours."""
    return statistics.median(peer.milliseconds) / statistics.median(ours.milliseconds)


def faults(name: str, size: int, backend: str, is_first: bool, peer: Result, ours: Result) -> list[str]:
    """The goals that a cell misses."""
    where = f"{name} at {size} on {backend}"
    if ours.why:
        return [f"{where}: {ours.why}"]
    missed = []
    if size <= MEMORY_GOAL_SIZE and ours.megabytes > MEMORY_GOAL_MB:
        missed.append(f"{where}: {ours.megabytes:.0f} MB, goal {MEMORY_GOAL_MB}")
    if not peer.why:
        if abs(ours.value - peer.value) > VALUE_TOLERANCE * max(1, abs(peer.value)):
            missed.append(f"{where}: the loss is {ours.value}, the peer's {peer.value}")
        goal = dict(CASES[name].goals).get(size, 1.0)
        if is_first and speedup(peer, ours) < goal:
            missed.append(f"{where}: {speedup(peer, ours):.2f} times as fast, goal {goal:g}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
