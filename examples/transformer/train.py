"""A training script that actsearch can call: a tiny transformer in PyTorch learns to add, from text that it makes itself.

The activation stands in the MLP blocks, with a trained beta for each hidden feature. What a script must do for actsearch is marked with (1)
to (4). All else is an ordinary training.
"""
import argparse
import importlib.util
import json
import os

import torch
from torch import nn
from torch.nn import functional as F

LETTERS = "0123456789+="
LENGTH = 9  # of "47+85=132"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", required=True, help="the activation's file, with a class Activation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=1, help="train until so many epochs are done")
    parser.add_argument("--state", help="a directory that keeps what a training needs to go on")
    parser.add_argument("--width", type=int, default=48, help="features of a token; the MLP has four times as many")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def activation_class(path):
    """(1) The activation is a file of its own, with a class Activation."""
    spec = importlib.util.spec_from_file_location("activation", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Activation


class Block(nn.Module):
    """Attention to the letters before, then an MLP; each added to its input."""

    def __init__(self, width, activation):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, num_heads=4, batch_first=True)
        # Tokens are (batch, length, features): the features, and so the betas, are along the last axis.
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), activation(4 * width, axis=-1), nn.Linear(4 * width, width))

    def forward(self, x, mask):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Transformer(nn.Module):
    def __init__(self, width, layers, activation):
        super().__init__()
        self.letters, self.places = nn.Embedding(len(LETTERS), width), nn.Embedding(LENGTH, width)
        self.blocks = nn.ModuleList(Block(width, activation) for _ in range(layers))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, len(LETTERS))

    def forward(self, text):
        length = text.shape[1]
        mask = torch.full((length, length), float("-inf")).triu(1)
        x = self.letters(text) + self.places(torch.arange(length))
        for block in self.blocks:
            x = block(x, mask)
        return self.out(self.norm(x))


def sums():
    """Every sum of two numbers below 100 as a row of letters, in an order that is always the same; a fifth of them validate."""
    rows = [[LETTERS.index(letter) for letter in f"{a:02}+{b:02}={a + b:03}"] for a in range(100) for b in range(100)]
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    text = torch.tensor(rows)[order]
    return text[len(rows) // 5:], text[:len(rows) // 5]


def loss_of(model, text):
    """Mean loss in nats of the answer's three digits, each from all letters before it."""
    digits = model(text[:, :-1])[:, -3:]
    return F.cross_entropy(digits.reshape(-1, len(LETTERS)), text[:, -3:].reshape(-1))


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)  # (2) the same seed for every function: first weights and order of the data
    train, validation = sums()

    model = Transformer(args.width, args.layers, activation_class(args.module))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)  # without weight decay, which would draw the betas to 0
    done, loss = 0, float("nan")
    checkpoint = args.state and os.path.join(args.state, "checkpoint.pt")
    if checkpoint and os.path.exists(checkpoint):  # (3) go on where an earlier call paused
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        done, loss = saved["epochs"], saved["loss"]

    for epoch in range(done, args.epochs):
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(1_000 * args.seed + epoch))
        model.train()
        loss_sum = 0.0
        for batch in order.split(64):
            optimizer.zero_grad()
            batch_loss = loss_of(model, train[batch])
            batch_loss.backward()
            optimizer.step()
            loss_sum += batch_loss.item() * len(batch)
        model.eval()
        with torch.no_grad():
            loss = loss_of(model, validation).item()
        if checkpoint:  # written whole or not at all
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epoch + 1, "loss": loss},
                       checkpoint + ".part")
            os.replace(checkpoint + ".part", checkpoint)
        # (4) a line of JSON after each epoch, and the score at the end
        print(json.dumps({"epoch": epoch + 1, "train_loss": loss_sum / len(train), "loss": loss}), flush=True)
    print(json.dumps({"loss": loss}))


if __name__ == "__main__":
    main()
