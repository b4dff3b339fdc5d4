#!/usr/bin/env python3
"""Training throughput of actsearch's networks in PyTorch, as JSON on standard output.

    /usr/bin/python3 bench/torch_baseline.py [--networks vgg-s,vgg16-slim,vgg16-bn,resnet20] [--activations relu,swish,silu]
        [--setups LIST] [--formats LIST] [--seconds 3] [--windows 3] [--batch 128] [--data DIR]

A set-up is PRECISION-PARALLELISM on the CPU: fp32 or bf16 (autocast), and `threads` (one process, all cores) or `processes` (one
single-threaded process a core, all training at once, their rates added up). On a GPU it is bf16-eager, bf16-compile (torch.compile,
where this PyTorch has it), bf16-graph (the whole step as one CUDA graph) and bf16-compile-graph. Tensors are channels_last or contiguous
(PyTorch's word for channels first); the default on the CPU is to measure both.

What is timed are whole training steps: forward, loss, backward, SGD with momentum 0.9. The batches are made beforehand, random or
from real images, so augmentation costs PyTorch nothing here. A figure is the median of `windows` timed windows of `seconds` each;
`plus_minus` is half the distance from the slowest to the fastest window.

Works with PyTorch 1.13 (Debian 12's python3-torch) and 2.x.
"""
import argparse
import itertools
import json
import multiprocessing
import os
import pathlib
import queue
import statistics
import sys
import time

try:
    import torch
except ImportError as missing:
    sys.exit(f"torch_baseline.py: {missing}: scripts/setup.sh --with-torch installs it for /usr/bin/python3")
from torch import nn

# evaluator/network/recipe.cpp's VGGs: channels of conv-BN-activation, "M" a 2x2 max-pool, then the widths of hidden dense layers.
NETWORKS = {
    "vgg-s": ([32, 32, "M", 64, 64, "M", 128, 128, "M"], []),
    "vgg16-slim": ([16, 16, "M", 32, 32, "M", 64, 64, 64, "M", 128, 128, 128, "M", 128, 128, 128, "M"], []),
    "vgg16-bn": ([64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"], [4096, 4096]),
}
RESIDUAL = {"resnet20": 3, "resnet56": 9}  # blocks a stage
CPU_SETUPS = ["fp32-threads", "fp32-processes", "bf16-threads", "bf16-processes"]
GPU_SETUPS = ["bf16-eager", "bf16-compile", "bf16-graph", "bf16-compile-graph"]
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
WARM_UP_STEPS = 3


class Swish(nn.Module):
    """x * sigmoid(beta * x) with one trainable beta a channel, starting at 1."""

    def __init__(self, channels):
        super().__init__()
        self.beta = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        beta = self.beta.view(1, -1, 1, 1) if x.dim() == 4 else self.beta
        return x * torch.sigmoid(beta * x)


ACTIVATIONS = {
    "relu": lambda channels: nn.ReLU(inplace=True),
    "swish": Swish,
    "silu": lambda channels: nn.SiLU(inplace=True),  # beta fixed at 1, one fused operator: for reference
}


class Block(nn.Module):
    """Two convolutions with batch norm; the activation follows the sum."""

    def __init__(self, inputs, channels, stride, activation):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), ACTIVATIONS[activation](channels),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        self.shortcut = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
        self.activation = ACTIVATIONS[activation](channels)

    def forward(self, x):
        return self.activation(self.residual(x) + self.shortcut(x))


def make_residual_network(blocks, activation):
    layers, channels = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), ACTIVATIONS[activation](16)], 16
    for stage in range(3):
        for block in range(blocks):
            layers.append(Block(channels, 16 << stage, 2 if stage > 0 and block == 0 else 1, activation))
            channels = 16 << stage
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def make_network(name, activation):
    if name in RESIDUAL:
        return make_residual_network(RESIDUAL[name], activation)
    features, hidden = NETWORKS[name]
    layers, channels, side = [], 3, 32
    for entry in features:
        if entry == "M":
            layers.append(nn.MaxPool2d(2))
            side //= 2
        else:
            layers += [nn.Conv2d(channels, entry, 3, padding=1, bias=False), nn.BatchNorm2d(entry), ACTIVATIONS[activation](entry)]
            channels = entry
    layers.append(nn.Flatten())
    width = channels * side * side
    for units in hidden:
        layers += [nn.Linear(width, units), ACTIVATIONS[activation](units), nn.Dropout(0.5)]
        width = units
    layers.append(nn.Linear(width, 10))
    return nn.Sequential(*layers)


def make_batches(count, batch, data, seed, memory_format):
    """`count` batches of normalised images, N x 3 x 32 x 32 in the memory format, and their labels."""
    generator = torch.Generator().manual_seed(seed)
    if data is None:
        images = torch.randn(count * batch, 3, 32, 32, generator=generator)
        labels = torch.randint(10, (count * batch,), generator=generator)
    else:
        raw = (pathlib.Path(data) / "data_batch_1.bin").read_bytes()[: count * batch * 3073]
        records = torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(count * batch, 3073)
        labels = records[:, 0].long()
        mean = torch.tensor([125.307, 122.950, 113.865]).view(1, 3, 1, 1)
        deviation = torch.tensor([62.993, 62.089, 66.705]).view(1, 3, 1, 1)
        images = (records[:, 1:].reshape(-1, 3, 32, 32).float() - mean) / deviation
    images = images.contiguous(memory_format=memory_format)
    return list(zip(images.split(batch), labels.split(batch)))


def make_step(job, device):
    """A function that trains on one batch, the next each time."""
    torch.manual_seed(job["seed"])
    network = make_network(job["network"], job["activation"]).to(device, memory_format=FORMATS[job["format"]]).train()
    capturable = job["mode"] in ("graph", "compile-graph")
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    forward = torch.compile(network) if job["mode"] in ("compile", "compile-graph") else network
    batches = [(x.to(device), y.to(device)) for x, y in make_batches(4, job["batch"], job["data"], job["seed"], FORMATS[job["format"]])]
    mixed = job["precision"] == "bf16"

    def train_on(x, y):
        optimiser.zero_grad(set_to_none=True)
        # A captured graph must not hold on to autocast's cache of casted weights.
        with torch.autocast(device, dtype=torch.bfloat16, enabled=mixed, cache_enabled=not capturable):
            loss = nn.functional.cross_entropy(forward(x).float(), y)
        loss.backward()
        optimiser.step()

    turn = 0

    def next_batch():
        nonlocal turn
        turn += 1
        return batches[turn % len(batches)]

    if not capturable:
        return lambda: train_on(*next_batch())

    static_x, static_y = (tensor.clone() for tensor in batches[0])
    side_stream = torch.cuda.Stream()  # PyTorch's rule: warm up beside the stream that is captured
    side_stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side_stream):
        for _ in range(WARM_UP_STEPS):
            train_on(static_x, static_y)
    torch.cuda.current_stream().wait_stream(side_stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        train_on(static_x, static_y)

    def replay():
        x, y = next_batch()
        static_x.copy_(x)
        static_y.copy_(y)
        graph.replay()

    return replay


def work(job, barrier, results):
    """One worker: trains for all windows, each begun together with the other workers; sends (images a second) per window, or why not."""
    try:
        torch.set_num_threads(job["threads"])
        device = job["device"]
        finish = torch.cuda.synchronize if device == "cuda" else lambda: None
        step = make_step(job, device)
        for _ in range(WARM_UP_STEPS if device == "cpu" else 10 * WARM_UP_STEPS):
            step()
        finish()
        rates = []
        for _ in range(job["windows"]):
            barrier.wait()
            steps, started = 0, time.perf_counter()
            while time.perf_counter() - started < job["seconds"]:
                step()
                steps += 1
                if steps % 20 == 0:
                    finish()  # keeps the queue of a GPU short, so that the window ends when it should
            finish()
            rates.append(steps * job["batch"] / (time.perf_counter() - started))
        results.put(rates)
    except Exception as error:  # sent on: a set-up that this PyTorch cannot do is a result, with its reason
        barrier.abort()
        results.put(f"{type(error).__name__}: {error}".splitlines()[0])


def measure(job, workers):
    """The median over windows of the workers' rates together, or {"error": …}."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(workers), context.Queue()
    processes = [context.Process(target=work, args=(dict(job, seed=i), barrier, results)) for i in range(workers)]
    for process in processes:
        process.start()
    answers = []
    while len(answers) < workers:
        try:
            answers.append(results.get(timeout=5))
        except queue.Empty:
            if not any(process.is_alive() for process in processes):
                answers.append("a worker ended without an answer (out of memory?)")
                break
    for process in processes:
        process.join()
    errors = [answer for answer in answers if isinstance(answer, str)]
    if errors:
        return {"error": next((error for error in errors if not error.startswith("BrokenBarrierError")), errors[0])}
    windows = [sum(rates) for rates in zip(*answers)]
    return {
        "images_per_second": round(statistics.median(windows), 1),
        "plus_minus": round((max(windows) - min(windows)) / 2, 1),
        "n": len(windows),
    }


def names(known):
    def parse(text):
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)} (known: {', '.join(known)})")
        return chosen

    return parse


def main():
    on_gpu = torch.cuda.is_available()
    setups = GPU_SETUPS if on_gpu else CPU_SETUPS
    if not hasattr(torch, "compile"):
        setups = [setup for setup in setups if "compile" not in setup]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=names([*NETWORKS, *RESIDUAL]), default=list(NETWORKS))
    parser.add_argument("--activations", type=names(list(ACTIVATIONS)), default=list(ACTIVATIONS))
    parser.add_argument("--setups", type=names(setups), default=setups, help=f"of {','.join(setups)}")
    formats = ["channels_last"] if on_gpu else list(FORMATS)
    parser.add_argument("--formats", type=names(list(FORMATS)), default=formats, help=f"of {','.join(FORMATS)}")
    parser.add_argument("--seconds", type=float, default=3, help="length of a timed window")
    parser.add_argument("--windows", type=int, default=3)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--data", help="directory with data_batch_1.bin; otherwise random images")
    arguments = parser.parse_args()

    cores = len(os.sched_getaffinity(0))
    rows = []
    for network in arguments.networks:
        for activation in arguments.activations:
            for setup, memory_format in itertools.product(arguments.setups, arguments.formats):
                precision, mode = setup.split("-", 1)
                workers = cores if mode == "processes" else 1
                job = {
                    "network": network, "activation": activation, "precision": precision, "mode": mode, "format": memory_format,
                    "device": "cuda" if on_gpu else "cpu", "threads": 1 if mode == "processes" else cores,
                    "batch": arguments.batch, "seconds": arguments.seconds, "windows": arguments.windows, "data": arguments.data,
                }
                row = {"network": network, "activation": activation, "setup": f"{setup}, {memory_format}", **measure(job, workers)}
                rows.append(row)
                print(f"{network} {activation} {row['setup']}: {row.get('images_per_second', row.get('error'))}", file=sys.stderr)
    best = {}
    for row in rows:
        key = (row["network"], row["activation"])
        if "error" not in row and row["images_per_second"] > best.get(key, {}).get("images_per_second", 0):
            best[key] = row
    json.dump(
        {
            "torch": torch.__version__,
            "device": torch.cuda.get_device_name() if on_gpu else "cpu",
            "cores": cores,
            "batch": arguments.batch,
            "results": rows,
            "best": list(best.values()),
        },
        sys.stdout,
        indent=1,
    )
    print()


if __name__ == "__main__":
    main()
