#!/usr/bin/env python3
"""Trains a small ResNet-18 with an exported activation for a few steps: train.py [--steps N] [--batch B] [--data DIR] [--relu]

DIR holds CIFAR-10's binary files (data_batch_1.bin); without it the images are noise, which the network learns by heart. --relu: the same
with ReLU. Prints the loss of each step.
"""
import argparse
import pathlib

import torch

from resnet import resnet18
from swish import Swish, parameter_groups


def images_of(directory, count, generator):
    """count images and their classes, in random order."""
    if directory is None:
        return torch.randn(count, 3, 32, 32, generator=generator), torch.randint(10, (count,), generator=generator)
    raw = bytearray(pathlib.Path(directory, "data_batch_1.bin").read_bytes())
    records = torch.frombuffer(raw, dtype=torch.uint8).view(-1, 3073)
    records = records[torch.randperm(len(records), generator=generator)[:count]]
    return records[:, 1:].view(-1, 3, 32, 32).float() / 64 - 2, records[:, 0].long()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--data", metavar="DIR")
    parser.add_argument("--relu", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)

    network = {"num_classes": 10, "width": 16, "small_images": True}
    if not arguments.relu:
        network["activation_layer"] = Swish  # the one line: without it, ReLU
    model = resnet18(**network)

    optimiser = torch.optim.SGD(parameter_groups(model, weight_decay=5e-4), lr=0.05, momentum=0.9)
    count = arguments.batch if arguments.data is None else arguments.batch * arguments.steps
    images, classes = images_of(arguments.data, count, generator)
    for step in range(arguments.steps):
        rows = slice(0, arguments.batch) if arguments.data is None else slice(step * arguments.batch, (step + 1) * arguments.batch)
        loss = torch.nn.functional.cross_entropy(model(images[rows]), classes[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        print(f"step {step} loss {loss.item():.4f}")
    betas = [p for m in model.modules() if isinstance(m, Swish) for p in m.parameters()]
    if betas:
        all_betas = torch.cat([beta.detach() for beta in betas])
        print(f"{len(all_betas)} betas began at 1 and lie between {all_betas.min().item():.3f} and {all_betas.max().item():.3f}")


if __name__ == "__main__":
    main()
