# SPDX-License-Identifier: LGPL-2.1-or-later
"""Networks from torchvision whose output depends on their input.

A freshly initialised network proves little: its batch norms are identities and its logits may not
move when the image changes. Statistics are therefore taken from random images first, and a test
that uses such a network checks that another image moves the output.
"""

import torch
import torchvision

# As many as the program is given: sums depend on how they are split.
THREADS = 2
torch.set_num_threads(THREADS)


def calibrated(builder, seed, size=64, **arguments):
    """The network in evaluation mode with batch norms fitted to random images."""
    torch.manual_seed(seed)
    if builder in ("googlenet", "inception_v3"):
        arguments = {"init_weights": False, **arguments}  # theirs takes half a minute
    model = torchvision.models.get_model(builder, weights=None, **arguments).eval()
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, 1, 0.1)  # mostly open ReLUs: float32 can hold the result
    for name, parameter in model.named_parameters():
        # Branches as strong as the trunk make deep residual networks chaotic.
        if name.endswith(("bn3.weight", ".f.c.1.weight")):
            torch.nn.init.uniform_(parameter, 0.1, 0.3)
        if name.endswith("layer_scale"):
            torch.nn.init.constant_(parameter, 0.5)
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, 0, module.in_features**-0.5)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, 0, 0.1)
    if norms:
        with torch.no_grad():
            model(images(seed, 32, size))  # fewer leave deep channels with hardly any variance
    return model.eval()


def images(seed, count, size):
    """Random images with structure at every scale: noise alone averages out in deep networks."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(count, 3, size, size)
    step = 1
    while step <= size:
        coarse = torch.randn(count, 3, max(size // step, 1), max(size // step, 1), generator=generator)
        total += torch.nn.functional.interpolate(coarse, size=(size, size), mode="nearest")
        step *= 4
    return total


def pictures(seed, count, size):
    """The same as uint8, as cameras give them."""
    return (images(seed, count, size) * 40 + 128).clamp(0, 255).to(torch.uint8)


def output(model, x):
    with torch.inference_mode():
        return model(x)


def moved(model, x, expected):
    """How far another image moves the output that `x` gives, relative to the largest output."""
    other = output(model, images(1000, 1, x.shape[-1]))
    return float((expected[0] - other[0]).abs().max() / expected.abs().max())
