# SPDX-License-Identifier: LGPL-2.1-or-later
"""The networks that are measured, written in PyTorch, with torchvision's keys: torch alone need be
there. bench.py loads the same parameters into them and into tvw, and compares what they answer."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional


class Bottleneck(nn.Module):
    def __init__(self, inputs, planes, stride):
        super().__init__()
        outputs = 4 * planes
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return functional.relu(self.bn3(self.conv3(y)) + shortcut)


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for i, (planes, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
            layers = []
            for block in range(blocks):
                layers.append(Bottleneck(inputs, planes, 2 if i > 0 and block == 0 else 1))
                inputs = 4 * planes
            setattr(self, f"layer{i + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, 1000)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        y = functional.relu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * functional.hardsigmoid(self.fc2(y))


def convolution(inputs, outputs, kernel, stride=1, groups=1, activation=nn.Hardswish):
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=0.001),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, kernel, expanded, outputs, squeezed, activation, stride):
        super().__init__()
        layers = []
        if expanded != inputs:
            layers.append(convolution(inputs, expanded, 1, activation=activation))
        layers.append(convolution(expanded, expanded, kernel, stride, expanded, activation))
        if squeezed:
            layers.append(SqueezeExcitation(expanded, squeezed))
        layers.append(convolution(expanded, outputs, 1, activation=None))
        self.block = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return self.block(x) + x if self.residual else self.block(x)


class MobileNetV3Large(nn.Module):
    # kernel, expanded, outputs, squeezed, hardswish, stride
    ROWS = (
        (3, 16, 16, 0, False, 1), (3, 64, 24, 0, False, 2), (3, 72, 24, 0, False, 1),
        (5, 72, 40, 24, False, 2), (5, 120, 40, 32, False, 1), (5, 120, 40, 32, False, 1),
        (3, 240, 80, 0, True, 2), (3, 200, 80, 0, True, 1), (3, 184, 80, 0, True, 1),
        (3, 184, 80, 0, True, 1), (3, 480, 112, 120, True, 1), (3, 672, 112, 168, True, 1),
        (5, 672, 160, 168, True, 2), (5, 960, 160, 240, True, 1), (5, 960, 160, 240, True, 1),
    )  # fmt: skip

    def __init__(self):
        super().__init__()
        layers, inputs = [convolution(3, 16, 3, 2)], 16
        for kernel, expanded, outputs, squeezed, swish, stride in self.ROWS:
            activation = nn.Hardswish if swish else nn.ReLU
            layers.append(
                InvertedResidual(inputs, kernel, expanded, outputs, squeezed, activation, stride)
            )
            inputs = outputs
        self.features = nn.Sequential(*layers, convolution(inputs, 960, 1))
        self.classifier = nn.Sequential(
            nn.Linear(960, 1280), nn.Hardswish(), nn.Dropout(), nn.Linear(1280, 1000)
        )

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class EncoderBlock(nn.Module):
    def __init__(self, size, heads, hidden):
        super().__init__()
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.ln_1 = norm(size)
        self.self_attention = nn.MultiheadAttention(size, heads, batch_first=True)
        self.ln_2 = norm(size)
        self.mlp = nn.Sequential(
            nn.Linear(size, hidden), nn.GELU(), nn.Dropout(0), nn.Linear(hidden, size)
        )

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class ViTB16(nn.Module):
    def __init__(self, size=768, heads=12, hidden=3072, depth=12):
        super().__init__()
        self.class_token = nn.Parameter(torch.randn(1, 1, size) * 0.02)
        self.conv_proj = nn.Conv2d(3, size, 16, 16)
        self.encoder = nn.Module()
        self.encoder.pos_embedding = nn.Parameter(torch.randn(1, 197, size) * 0.02)
        self.encoder.layers = nn.Sequential()
        for i in range(depth):
            self.encoder.layers.add_module(f"encoder_layer_{i}", EncoderBlock(size, heads, hidden))
        self.encoder.ln = nn.LayerNorm(size, eps=1e-6)
        self.heads = nn.Sequential()
        self.heads.add_module("head", nn.Linear(size, 1000))

    def forward(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        x = self.encoder.layers(x + self.encoder.pos_embedding)
        return self.heads(self.encoder.ln(x)[:, 0])


NETWORKS = {"resnet50": ResNet50, "mobilenet_v3_large": MobileNetV3Large, "vit_b_16": ViTB16}
