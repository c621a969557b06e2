# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every network's state dict, in every form in which people save one, is read bit for bit."""

import collections
import functools

import pytest
import torch
import torchvision
from conftest import LONG
from state_dicts import CONTAINERS
from test_checkpoint import check
from test_models import on_meta_device, num_params

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch deprecates its own quantization

FLOAT = torchvision.models.list_models(module=torchvision.models)
MOST_PARAMETERS = 60_000_000  # of the networks whose tensors keep their sizes in a long run
SIDE = 3  # of the tensors that do not


def shape_of(tensor, whole):
    return tensor.shape if whole else [min(side, SIDE) for side in tensor.shape]


def filled(tensor, whole):
    """Random values in place of none at all."""
    shape = shape_of(tensor, whole)
    if tensor.is_floating_point():
        return torch.randn(shape).to(tensor.dtype)
    return torch.randint(0, 100, shape).to(tensor.dtype)


@functools.lru_cache(maxsize=1)
def state_dict(builder):
    whole = LONG and num_params(builder) <= MOST_PARAMETERS
    torch.manual_seed(FLOAT.index(builder))
    original = on_meta_device(builder, {}).state_dict()
    result = collections.OrderedDict((key, filled(value, whole)) for key, value in original.items())
    result._metadata = original._metadata
    return result


def changed(change):
    """A form in which `change` is made to every floating-point tensor."""

    def form(state):
        return {k: change(v) if v.is_floating_point() else v for k, v in state.items()}

    return form


def reversed_strides(tensor):
    axes = tuple(reversed(range(tensor.dim())))
    return tensor.permute(axes).contiguous().permute(axes)


def one_storage(state):
    """All parameters as views of one tensor, as flattened optimizers leave them."""
    floats = {k: v for k, v in state.items() if v.is_floating_point()}
    flat = torch.cat([v.reshape(-1) for v in floats.values()])
    parts = flat.split([v.numel() for v in floats.values()])
    return state | {k: part.view(v.shape) for (k, v), part in zip(floats.items(), parts)}


def per_tensor(tensor):
    return torch.quantize_per_tensor(tensor, 0.05, 3, torch.quint8)


def per_channel(tensor):
    if tensor.dim() == 0:
        return tensor
    channels = tensor.shape[0]
    scales = torch.rand(channels, dtype=torch.float64) + 0.01
    return torch.quantize_per_channel(tensor, scales, torch.zeros(channels, dtype=torch.long), 0, torch.qint8)


FORMS = {
    "as_it_is": lambda state: state,
    "without_metadata": dict,
    "half": changed(torch.Tensor.half),
    "bfloat16": changed(torch.Tensor.bfloat16),
    "strided": changed(reversed_strides),
    "one_storage": one_storage,
    "per_tensor": changed(per_tensor),
    "per_channel": changed(per_channel),
}


def forms(builder, container):
    """All in a long run; otherwise two, so that neighbours in a family are saved differently."""
    if LONG:
        return FORMS.values()
    first = 2 * FLOAT.index(builder) + list(CONTAINERS).index(container)
    return [list(FORMS.values())[i % len(FORMS)] for i in (first, first + 3)]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("builder", FLOAT)
def test_every_form_of_a_network_is_read(builder, container, tmp_path):
    for form in forms(builder, container):
        check(form(state_dict(builder)), container, tmp_path)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("builder", FLOAT if LONG else FLOAT[::20])
def test_forms_saved_on_another_device_are_read(builder, container, tmp_path, monkeypatch):
    anywhere = (0, lambda _: "cuda:3", lambda storage, _: storage)
    monkeypatch.setattr(torch.serialization, "_package_registry", [anywhere])
    for form in forms(builder, container):
        check(form(state_dict(builder)), container, tmp_path)
