# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pickles of protocol 2, opcode by opcode."""

import struct


def text(string):
    data = string if isinstance(string, bytes) else string.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def integer(number):
    """LONG1 of 8 bytes, so that any int64 fits."""
    return b"\x8a\x08" + struct.pack("<q", number)


def real(number):
    return b"G" + struct.pack(">d", number)


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def list_of(*items):
    return b"](" + b"".join(items) + b"e"


def integers(*numbers):
    return tuple_of(*map(integer, numbers))


def dict_of(**items):
    return b"}" + b"".join(text(key) + value + b"s" for key, value in items.items())


def pickle(opcodes):
    return b"\x80\x02" + opcodes + b"."


def storage(key="0", numel=4, kind="FloatStorage", location="cpu", view=b""):
    return tuple_of(
        text("storage"), name("torch", kind), text(key), text(location), integer(numel), view
    ) + b"Q"  # fmt: skip


def tensor(size=integers(4), stride=integers(1), offset=integer(0), before_call=b"", **of_storage):
    arguments = storage(**of_storage) + offset + size + stride + b"\x89N"
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + arguments + b"t" + before_call + b"R"


def quantized(quantizer, kind="QInt8Storage", before_call=b""):
    """A tensor of 4×4 elements of one byte."""
    arguments = storage(numel=16, kind=kind) + integer(0) + integers(4, 4) + integers(4, 1)
    return (
        name("torch._utils", "_rebuild_qtensor")
        + b"(" + arguments + quantizer + b"\x89Nt" + before_call + b"R"
    )  # fmt: skip


def per_tensor(scale=real(1), zero_point=integer(0)):
    return tuple_of(name("torch", "per_tensor_affine"), scale, zero_point)


def per_channel(scales, zero_points, axis=integer(0)):
    return tuple_of(name("torch", "per_channel_affine"), scales, zero_points, axis)
