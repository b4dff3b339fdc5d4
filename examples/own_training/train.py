"""A training script that actsearch can call: a small ResNet in PyTorch, on CIFAR-10 or on drawn images.

    actsearch search --db own.db --epochs 4 --racing --evaluator \
        'python3 examples/own_training/train.py --module {module} --seed {seed} --epochs {epochs} --state {state}'

What makes a script one that actsearch can call is marked with (1) to (4). All else is an ordinary training.
"""
import argparse
import importlib.util
import json
import os

import torch
from torch import nn
from torch.nn import functional as F


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", required=True, help="the activation's file, with a class Activation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=4, help="train until so many epochs are done")
    parser.add_argument("--whole", type=int, default=4, help="epochs of a whole training, at whose end the learning rate is 0")
    parser.add_argument("--state", help="a directory that keeps what a training needs to go on")
    parser.add_argument("--data", help="a directory with CIFAR-10's binary files; without it, images are drawn")
    parser.add_argument("--images", type=int, default=2_000, help="how many train; half as many validate")
    parser.add_argument("--width", type=int, default=8, help="channels of the first layer")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    if args.epochs > args.whole:
        parser.error("a training of more epochs than --whole has no learning rate left")
    return args


def activation_class(path):
    """(1) The activation is a file of its own, with a class Activation."""
    spec = importlib.util.spec_from_file_location("activation", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Activation


class Block(nn.Module):
    def __init__(self, channels_in, channels, stride, activation):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1, self.act1 = nn.BatchNorm2d(channels), activation(channels, axis=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2, self.act2 = nn.BatchNorm2d(channels), activation(channels, axis=1)
        self.shortcut = nn.Conv2d(channels_in, channels, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x):
        y = self.act1(self.bn1(self.conv1(x)))
        return self.act2(self.bn2(self.conv2(y)) + self.shortcut(x))


def network(width, activation):
    return nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), activation(width, axis=1),
                         Block(width, width, 1, activation), Block(width, 2 * width, 2, activation),
                         Block(2 * width, 4 * width, 2, activation), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(4 * width, 10))


def drawn(count, generator):
    """Ten kinds of stripes, by direction and width, under noise."""
    labels = torch.arange(count) % 10
    place = torch.arange(32.0)
    angle, wave = (labels % 5) * torch.pi / 5, 3.0 + 3.0 * (labels // 5)
    phase = torch.rand(count, generator=generator) * 6.283
    along = torch.cos(angle)[:, None, None] * place[:, None] + torch.sin(angle)[:, None, None] * place[None, :]
    stripes = torch.sin(6.283 * along / wave[:, None, None] + phase[:, None, None])
    return stripes[:, None] + 4.0 * torch.randn(count, 3, 32, 32, generator=generator), labels


def cifar10(directory, count):
    """The first images of CIFAR-10's training files, 10,000 in each of five."""
    files = [os.path.join(directory, f"data_batch_{1 + i}.bin") for i in range(-(-count // 10_000))]
    records = b"".join(open(file, "rb").read() for file in files)
    records = torch.frombuffer(bytearray(records), dtype=torch.uint8).view(-1, 3073)[:count]
    return (records[:, 1:].float() / 255 - 0.47).view(-1, 3, 32, 32) / 0.25, records[:, 0].long()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)  # (2) the same seed for every function: first weights and order of the data
    generator = torch.Generator().manual_seed(0)  # the images are the same for every seed
    images, labels = cifar10(args.data, args.images * 3 // 2) if args.data else drawn(args.images * 3 // 2, generator)
    train, test = slice(0, args.images), slice(args.images, None)

    model = network(args.width, activation_class(args.module)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    done, accuracy = 0, 0.0
    checkpoint = args.state and os.path.join(args.state, "checkpoint.pt")
    if checkpoint and os.path.exists(checkpoint):  # (3) go on where an earlier call paused
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        done, accuracy = saved["epochs"], saved["accuracy"]

    for epoch in range(done, args.epochs):
        order = torch.randperm(args.images, generator=torch.Generator().manual_seed(1_000 * args.seed + epoch))
        model.train()
        loss_sum = 0.0
        batches = order.split(64)
        for step, batch in enumerate(batches):
            progress = (epoch + step / len(batches)) / args.whole
            optimizer.param_groups[0]["lr"] = 0.1 * min(progress / 0.2, (1 - progress) / 0.8)  # up for a fifth, then down
            optimizer.zero_grad()
            loss = F.cross_entropy(model(images[train][batch]), labels[train][batch])
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(batch)
        model.eval()
        with torch.no_grad():
            outputs = torch.cat([model(part) for part in images[test].split(500)])
        accuracy = (outputs.argmax(1) == labels[test]).double().mean().item()
        if checkpoint:  # written whole or not at all
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epoch + 1,
                        "accuracy": accuracy}, checkpoint + ".part")
            os.replace(checkpoint + ".part", checkpoint)
        # (4) a line of JSON after each epoch, and the score at the end
        print(json.dumps({"epoch": epoch + 1, "train_loss": loss_sum / args.images, "accuracy": accuracy}), flush=True)
    print(json.dumps({"score": accuracy}))


if __name__ == "__main__":
    main()
