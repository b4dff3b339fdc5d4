"""Trains networks in PyTorch as actsearch has trained them, and compares the losses: check_networks.py FOLDER

Each folder in FOLDER has case.json (the recipe as a file, where parameters lie, labels, losses), values.bin and images.bin. Prints what differs,
and last "compared N".
"""
import json
import pathlib
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(2)


class Swish(nn.Module):
    def __init__(self, beta):
        super().__init__()
        self.beta = nn.Parameter(beta)

    def forward(self, x):
        beta = self.beta.view(1, -1, 1, 1) if x.dim() == 4 else self.beta
        return x * torch.sigmoid(beta * x)


class Flatten(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)  # channels innermost


class Network(nn.Module):
    def __init__(self, case, values):
        super().__init__()
        self.layers = case["recipe"]["network"]["layers"]
        segments = list(case["segments"])
        self.parts = nn.ModuleList()
        self.decaying = []

        def take(*kinds):
            for place, (kind, offset, size) in enumerate(segments):
                if kind in kinds:
                    del segments[place]
                    return torch.from_numpy(values[offset:offset + size].copy())
            raise SystemExit(f"no {kinds} is left")

        channels = {"image": 3}
        before = "image"
        for place, layer in enumerate(self.layers):
            kind, sources = layer["kind"], layer.get("from", [before])
            inputs = channels[sources[0]]
            outputs = layer.get("channels", inputs)
            part = nn.Identity()
            if kind == "convolution":
                size, groups = layer["kernel"], layer.get("groups", 1)
                part = nn.Conv2d(inputs, outputs, size, layer.get("stride", 1), layer.get("padding", 0), groups=groups, bias=layer.get("bias", False))
                part.weight.data = take("weight").view(outputs, size, size, inputs // groups).permute(0, 3, 1, 2).contiguous()
                if layer.get("bias"):
                    part.bias.data = take("convolution_bias", "bias")
                self.decaying.append(part.weight)
            elif kind == "batch_norm":
                part = nn.BatchNorm2d(inputs)
                part.weight.data, part.bias.data = take("norm_scale"), take("norm_shift")
            elif kind == "activation":
                part = Swish(take("beta"))
            elif kind == "max_pool":
                part = nn.MaxPool2d(layer["kernel"], layer.get("stride", 1), layer.get("padding", 0))
            elif kind == "average_pool":
                part = nn.AvgPool2d(layer["kernel"], layer.get("stride", 1), layer.get("padding", 0), count_include_pad=False)
            elif kind == "global_average_pool":
                part = nn.AdaptiveAvgPool2d(1)
            elif kind == "flatten":
                part = Flatten()
                outputs = None  # read from the weights that follow
            elif kind == "dense":
                weight = take("weight")
                outputs = layer.get("channels", 10)
                part = nn.Linear(weight.numel() // outputs, outputs)
                part.weight.data, part.bias.data = weight.view(outputs, -1), take("bias")
                self.decaying.append(part.weight)
            elif kind == "dropout":
                assert layer.get("probability", 0) == 0
            self.parts.append(part)
            before = layer.get("name", f"layer {place}")
            channels[before] = outputs
        assert not segments, segments

    def forward(self, x):
        tensors, before = {"image": x}, "image"
        for place, (layer, part) in enumerate(zip(self.layers, self.parts)):
            sources = [tensors[name] for name in layer.get("from", [before])]
            if layer["kind"] == "add":
                y = sources[0] + sources[1]
            else:
                x = sources[0]
                if layer["kind"] == "dense" and x.dim() == 4:
                    x = x.flatten(1)
                y = part(x)
            before = layer.get("name", f"layer {place}")
            tensors[before] = y
        return y


def main():
    compared = 0
    for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        case = json.loads((folder / "case.json").read_text())
        network = Network(case, np.fromfile(folder / "values.bin", np.float32))
        labels = torch.tensor(case["labels"], dtype=torch.long)
        images = torch.from_numpy(np.fromfile(folder / "images.bin", np.float32)).view(len(labels), 32, 32, 3).permute(0, 3, 1, 2)
        decaying = {id(p) for p in network.decaying}
        others = [p for p in network.parameters() if id(p) not in decaying]
        step = torch.optim.SGD([{"params": network.decaying, "weight_decay": case["decay"]}, {"params": others}], lr=case["rate"],
                               momentum=case["momentum"])
        for number, expected in enumerate(case["losses"]):
            loss = F.cross_entropy(network(images), labels)
            step.zero_grad()
            loss.backward()
            step.step()
            # Rounding differs; training lets differences grow by about 1.6 a step.
            allowed = 4e-6 * 1.6**number * max(expected, 1)
            if not abs(loss.item() - expected) <= allowed:
                print(f"{folder.name}, step {number}: PyTorch loses {loss.item()}, actsearch {expected}; allowed is {allowed}")
            else:
                compared += 1
    print(f"compared {compared}")
    sys.exit(compared != 10 * len(list(pathlib.Path(sys.argv[1]).iterdir())))


if __name__ == "__main__":
    main()
