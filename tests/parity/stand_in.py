# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file that passes for the published ResNet50_Weights.IMAGENET1K_V2, where nothing can be
downloaded: right keys and shapes, numbers of our own, and a SHA-256 that begins with the eight
digits of the published name. The digest depends on every byte, so the file is made the same
everywhere: a frozen generator of numbers, and a container written without torch.save.
"""

import hashlib
import io
import struct
import zipfile

import numpy

NAME = "resnet50-11ad3fa6.pth"
# The zip comment of the last entry, searched for until the digest began with 11ad3fa6.
NONCE = bytes.fromhex("ab3a0b1b00000000")


def layers():
    """(key, shape) in the order of torchvision's resnet50; kinds are told by their names."""

    def conv(name, out, inside, kernel):
        yield name + ".weight", (out, inside, kernel, kernel)

    def norm(name, channels):
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.{leaf}", (channels,)
        yield name + ".num_batches_tracked", ()

    yield from conv("conv1", 64, 3, 7)
    yield from norm("bn1", 64)
    inside = 64
    for stage, blocks in enumerate((3, 4, 6, 3), start=1):
        planes = 32 << stage
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            for index, (out, kernel) in enumerate(((planes, 1), (planes, 3), (4 * planes, 1)), 1):
                source = (inside, planes, planes)[index - 1]
                yield from conv(f"{at}.conv{index}", out, source, kernel)
                yield from norm(f"{at}.bn{index}", out)
            if block == 0:
                yield from conv(f"{at}.downsample.0", 4 * planes, inside, 1)
                yield from norm(f"{at}.downsample.1", 4 * planes)
            inside = 4 * planes
    yield "fc.weight", (1000, 2048)
    yield "fc.bias", (1000,)


def values(key, shape, random):
    """Numbers that keep the signal alive through fifty layers and spread the logits."""
    if key.endswith("num_batches_tracked"):
        return numpy.zeros(shape, "<i8")
    if len(shape) > 1:
        bound = numpy.sqrt(6 / numpy.prod(shape[1:])) * (2 if key == "fc.weight" else 1)
        return (random.random_sample(shape) * (2 * bound) - bound).astype("<f4")
    if key.endswith(("weight", "running_var")):
        # The last of a block's norms is small, so that the sum over blocks stays bounded.
        return numpy.full(shape, 0.25 if key.endswith("bn3.weight") else 1, "<f4")
    return numpy.zeros(shape, "<f4")


class Pickle:
    """The opcodes that torch.save writes for an OrderedDict of tensors."""

    def __init__(self):
        self.out = io.BytesIO()
        self.out.write(b"\x80\x02")

    def put(self, *parts):
        for part in parts:
            if isinstance(part, str):
                text = part.encode()
                part = b"X" + struct.pack("<I", len(text)) + text
            elif isinstance(part, int):
                part = b"J" + struct.pack("<i", part)
            elif isinstance(part, tuple):
                self.put(b"(", *part)
                part = b"t"
            self.out.write(part)

    def ordered_dict(self):
        self.put(b"ccollections\nOrderedDict\n)R")

    def tensor(self, record, array):
        kind = b"ctorch\nLongStorage\n" if array.dtype.kind == "i" else b"ctorch\nFloatStorage\n"
        strides = tuple(stride // array.itemsize for stride in array.strides)
        self.put(b"ctorch._utils\n_rebuild_tensor_v2\n(")
        self.put(("storage", kind, str(record), "cpu", array.size), b"Q", 0)
        self.put(array.shape, strides, b"\x89")
        self.ordered_dict()
        self.put(b"tR")


def write(path, nonce=NONCE):
    """Writes the checkpoint, 98 MiB, and answers its SHA-256."""
    random = numpy.random.RandomState(2)
    pickle = Pickle()
    pickle.ordered_dict()
    pickle.put(b"(")
    records = []
    for key, shape in layers():
        array = values(key, shape, random)
        pickle.put(key)
        pickle.tensor(len(records), array)
        records.append(array)
    pickle.put(b"u.")
    entries = [("data.pkl", pickle.out.getvalue()), ("byteorder", b"little")]
    entries += [(f"data/{index}", array.tobytes()) for index, array in enumerate(records)]
    entries += [("version", b"3\n")]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            info = zipfile.ZipInfo("resnet50/" + name)
            info.create_system = 3
            info.comment = nonce if name == "version" else b""
            archive.writestr(info, content)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
