"""A training script that actsearch can call: a small convolutional network in JAX and Flax, on CIFAR-10 or on drawn images.

What a script must do for actsearch is marked with (1) to (4). All else is an ordinary training.
"""
import argparse
import importlib.util
import json
import os

# A trial of seconds is over before more optimisation by the compiler has paid off. It must be said before JAX is imported.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, serialization


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", required=True, help="the activation's file, with a Flax module Activation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=1, help="train until so many epochs are done")
    parser.add_argument("--state", help="a directory that keeps what a training needs to go on")
    parser.add_argument("--data", help="a directory with CIFAR-10's binary files; without it, images are drawn")
    parser.add_argument("--images", type=int, default=1_000, help="how many train; half as many validate")
    parser.add_argument("--width", type=int, default=8, help="channels of the first layer")
    return parser.parse_args()


def activation_file(path):
    """(1) The activation is a file of its own, with a class Activation."""
    spec = importlib.util.spec_from_file_location("activation", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Network(linen.Module):
    """Three convolutions, each with half the side and twice the channels of the one before. Channels are the last axis, as are the betas."""
    width: int
    activation: type

    @linen.compact
    def __call__(self, x):
        for channels in (self.width, 2 * self.width, 4 * self.width):
            x = linen.Conv(channels, (3, 3), strides=(2, 2), use_bias=False)(x)
            x = self.activation()(linen.GroupNorm(num_groups=4)(x))
        return linen.Dense(10)(x.mean(axis=(1, 2)))


def drawn(count, random):
    """Ten kinds of stripes, by direction and width, under noise."""
    labels = np.arange(count) % 10
    place = np.arange(32.0)
    angle, wave = (labels % 5) * np.pi / 5, 3.0 + 3.0 * (labels // 5)
    along = np.cos(angle)[:, None, None] * place[:, None] + np.sin(angle)[:, None, None] * place[None, :]
    stripes = np.sin(2 * np.pi * (along / wave[:, None, None] + random.random(count)[:, None, None]))
    return (stripes[..., None] + 2.0 * random.standard_normal((count, 32, 32, 3))).astype(np.float32), labels


def cifar10(directory, count):
    records = np.fromfile(os.path.join(directory, "data_batch_1.bin"), dtype=np.uint8).reshape(-1, 3073)[:count]
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return ((images / 255 - 0.47) / 0.25).astype(np.float32), records[:, 0].astype(np.int64)


def main():
    args = arguments()
    count = args.images * 3 // 2
    images, labels = cifar10(args.data, count) if args.data else drawn(count, np.random.default_rng(0))  # the same for every seed
    train, test = slice(0, args.images), slice(args.images, None)

    file = activation_file(args.module)
    model = Network(args.width, file.Activation)
    # (2) the same seed for every function: first weights and order of the data
    parameters = jax.jit(model.init)(jax.random.key(args.seed), images[:1, :8, :8])
    # Weight decay is not for the betas; a formula without them has no decay_mask.
    optimizer = optax.adamw(3e-3, weight_decay=1e-3, mask=getattr(file, "decay_mask", None))
    state = {"parameters": parameters, "optimizer": optimizer.init(parameters), "epochs": 0, "accuracy": 0.0}
    checkpoint = args.state and os.path.join(args.state, "checkpoint.msgpack")
    if checkpoint and os.path.exists(checkpoint):  # (3) go on where an earlier call paused
        with open(checkpoint, "rb") as saved:
            state = serialization.from_bytes(state, saved.read())

    def loss_of(parameters, x, label):
        return optax.softmax_cross_entropy_with_integer_labels(model.apply(parameters, x), label).mean()

    @jax.jit
    def step(parameters, optimizer_state, x, label):
        loss, slopes = jax.value_and_grad(loss_of)(parameters, x, label)
        updates, optimizer_state = optimizer.update(slopes, optimizer_state, parameters)
        return optax.apply_updates(parameters, updates), optimizer_state, loss

    @jax.jit
    def correct(parameters, x, label):
        return (model.apply(parameters, x).argmax(-1) == label).mean()

    for epoch in range(int(state["epochs"]), args.epochs):
        order = np.random.default_rng([args.seed, epoch]).permutation(args.images)
        losses = []
        for first in range(0, args.images - 63, 64):
            batch = order[first:first + 64]
            state["parameters"], state["optimizer"], loss = step(state["parameters"], state["optimizer"], images[train][batch],
                                                                 labels[train][batch])
            losses.append(loss)
        state["epochs"], state["accuracy"] = epoch + 1, float(correct(state["parameters"], images[test], labels[test]))
        if checkpoint:  # written whole or not at all
            with open(checkpoint + ".part", "wb") as saving:
                saving.write(serialization.to_bytes(state))
            os.replace(checkpoint + ".part", checkpoint)
        # (4) a line of JSON after each epoch, and the score at the end
        print(json.dumps({"epoch": epoch + 1, "train_loss": float(jnp.stack(losses).mean()), "accuracy": state["accuracy"]}), flush=True)
    print(json.dumps({"score": float(state["accuracy"])}))


if __name__ == "__main__":
    main()
