"""A ResNet in the style of torchvision's, whose activation is an argument: activation_layer(channels) makes one, as norm_layer does there."""
import torch
from torch import nn


def relu(channels):
    return nn.ReLU(inplace=True)


def conv3x3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut; each activation has its own channels, so each is a module of its own."""

    def __init__(self, inputs, planes, stride, activation_layer):
        super().__init__()
        self.conv1 = conv3x3(inputs, planes, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.act1 = activation_layer(planes)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.act2 = activation_layer(planes)
        self.downsample = None
        if stride != 1 or inputs != planes:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, planes, kernel_size=1, stride=stride, bias=False), nn.BatchNorm2d(planes))

    def forward(self, x):
        identity = x if self.downsample is None else self.downsample(x)
        out = self.act1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.act2(out + identity)


class ResNet(nn.Module):
    """Four stages of basic blocks. small_images: the stem for 32×32 pixels, without the stride of 4."""

    def __init__(self, layers, num_classes=1000, width=64, small_images=False, activation_layer=relu):
        super().__init__()
        stem = conv3x3(3, width) if small_images else nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
        self.conv1 = stem
        self.bn1 = nn.BatchNorm2d(width)
        self.act = activation_layer(width)
        self.maxpool = nn.Identity() if small_images else nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        channels = width
        for stage, blocks in enumerate(layers):
            planes = width * 2**stage
            made = []
            for block in range(blocks):
                made.append(BasicBlock(channels, planes, 2 if stage > 0 and block == 0 else 1, activation_layer))
                channels = planes
            setattr(self, f"layer{stage + 1}", nn.Sequential(*made))
        self.fc = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.maxpool(self.act(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


def resnet18(**arguments):
    return ResNet([2, 2, 2, 2], **arguments)


def resnet34(**arguments):
    return ResNet([3, 4, 6, 3], **arguments)
