# SPDX-License-Identifier: LGPL-2.1-or-later
"""Storages, views and quantizers that do not fit together."""

from containers import FLOATS, entry, torch_entries, torch_zip, zip_file
from opcodes import (
    dict_of, integer, integers, list_of, name, per_channel, per_tensor, pickle, quantized, real,
    storage, tensor, text, tuple_of,
)  # fmt: skip
from row import HERE, corrupt, loads, unsupported

LARGEST = (1 << 63) - 1


def holding(value):
    return torch_zip(pickle(dict_of(w=value)))


def view(**facts):
    """Fails at the call that makes the tensor."""
    return holding(tensor(before_call=HERE, **facts))


def views():
    yield loads("right", view())
    yield loads("transposed", view(size=integers(2, 2), stride=integers(1, 2)))
    yield loads("scalar", view(size=b")", stride=b")", offset=integer(3)))
    yield loads("empty", view(size=integers(0, 7), stride=integers(7, 1)))
    for what, facts in {
        "numel_too_large": {"size": integers(5)}, "offset_past": {"offset": integer(1)},
        "stride_past": {"size": integers(2), "stride": integers(4)},
        "offset_past_all": {"size": integers(1), "offset": integer(4)},
        "empty_past_all": {"size": integers(0), "offset": integer(5)},
        "outer_past": {"size": integers(2, 4), "stride": integers(1, 1)},
    }.items():  # fmt: skip
        yield corrupt(what, view(**facts), "reach past a storage of 4")
    for what, facts in {
        "offset": {"offset": integer(-1)}, "size": {"size": integers(-1)},
        "stride": {"stride": integers(-1)}, "smallest": {"size": integers(-LARGEST - 1)},
    }.items():  # fmt: skip
        yield corrupt(f"negative_{what}", view(**facts), "is negative")
    for what, facts in {
        "stride": {"size": integers(2), "stride": integers(LARGEST)},
        "stride_to_zero": {"size": integers(3), "stride": integers(1 << 62)},
        "size": {"size": integers(LARGEST, 4), "stride": integers(0, 0)},
        "size_to_zero": {"size": integers(1 << 32, 1 << 32), "stride": integers(0, 0)},
        "size_to_four": {"size": integers(1 << 62, 4, 4), "stride": integers(0, 0, 1)},
        "empty_size": {"size": integers(0, LARGEST, 4), "stride": integers(0, 0, 0)},
        "offset": {"offset": integer(LARGEST)},
    }.items():  # fmt: skip
        yield corrupt(f"wrapping_{what}", view(**facts), "does not fit 64 bits")
    yield corrupt("fewer_strides", view(size=integers(2, 2)), "2 sizes and 1 strides")
    yield corrupt("fewer_sizes", view(stride=integers(4, 1)), "1 sizes and 2 strides")
    nine = integers(*9 * [1])
    yield unsupported("rank_9", view(size=nine, stride=nine), "9 dimensions; at most 8")
    for what, opcodes, named in (
        ("list", b"]", "a list"), ("int", b"K\4", "an int"), ("None", b"N", "None"),
    ):  # fmt: skip
        yield corrupt(f"size_{what}", view(size=opcodes), f"a tensor's size is {named}, not a tuple")
    for what, opcodes, named in (
        ("float", real(4), "a float"), ("nan", real(float("nan")), "a float"), ("bool", b"\x88", "a bool"),
        ("string", text("4"), "a string"),
    ):  # fmt: skip
        yield corrupt(f"size_of_{what}", view(size=b"(" + opcodes + b"t"), f"size is {named}, not an int")
        yield corrupt(f"offset_{what}", view(offset=opcodes), f"offset is {named}, not an int")


def broadcasts():
    part = "repeat their elements (stride 0)"
    for what, size, stride in (
        ("2_42", integers(1 << 42), integers(0)), ("outer", integers(1 << 40, 4), integers(0, 1)),
        ("inner", integers(3, 1 << 40), integers(1, 0)),
        ("overlapping", integers(1 << 14, 1 << 14, 3), integers(0, 0, 1)),
    ):  # fmt: skip
        yield unsupported(f"broadcast_{what}", view(size=size, stride=stride), part)
    large = {"size": integers(1 << 25), "stride": integers(0)}
    state = dict_of(a=tensor(**large), b=tensor(**large), c=tensor(before_call=HERE, **large))
    yield unsupported("broadcast_128_mib_thrice", torch_zip(pickle(state)), part)
    yield loads("broadcast_small", view(size=integers(1000), stride=integers(0)))


def storages():
    yield corrupt("declared_too_large", holding(tensor(numel=5)), "has 16 bytes, expected 5×float32")
    yield corrupt("declared_too_small", holding(tensor(size=integers(3), numel=3)), "expected 3×float32")

    def declared(**facts):
        return holding(storage(**facts)[:-1] + HERE + b"Q")

    for what, numel in {"2gb": 1 << 29, "wrapping": 1 << 62, "wrapping_to_16": (1 << 62) + 4}.items():
        yield corrupt(f"declared_{what}", declared(numel=numel), "cannot be in a file of")
    yield corrupt("declared_negative", declared(numel=-4), "number of elements is negative")
    for what, key in {
        "traversal": "../../etc/passwd", "absolute": "/etc/passwd", "other": "1", "empty": "",
        "nul": "0\0", "version": "../version",
    }.items():  # fmt: skip
        yield corrupt(f"key_{what}", holding(tensor(key=key)), "no entry for storage")
    for kind in ("ComplexFloatStorage", "ComplexDoubleStorage", "UntypedStorage", "Float8_e4m3fnStorage"):
        part = f"'torch.{kind}' is not among the names"
        yield unsupported(f"kind_{kind}", holding(tensor(kind=kind)), part)
    yield corrupt("kind_dtype", declared(kind="float32"), "torch.float32 is not a storage's type")
    yield corrupt("kind_function", declared(kind="Size"), "torch.Size is not a storage's type")
    data = holding(tensor(kind="QInt8Storage", numel=16, size=integers(16), before_call=HERE))
    yield corrupt("quantized_without_scales", data, "a quantized storage in a tensor without scales")
    data = holding(tensor(kind="BoolStorage", numel=16, size=integers(16)))
    yield corrupt("bool_of_2", data, "of bools holds other numbers")
    for what, other in {
        "dtype": storage(kind="IntStorage"), "dtype_and_numel": storage(kind="DoubleStorage", numel=2),
        "numel": storage(numel=2),
    }.items():  # fmt: skip
        state = pickle(b"}" + text("a") + tensor() + b"s" + text("b") + other[:-1] + HERE + b"Q")
        yield corrupt(f"alias_of_{what}", torch_zip(state), "'b': storage '0' is")
    for what, location in {
        "cuda": "cuda:99", "unknown": "abacus", "empty": "", "code": "__import__('os')",
        "long": 4000 * "x", "path": "/dev/sda",
    }.items():  # fmt: skip
        yield loads(f"device_{what}", holding(tensor(location=location)))
    two = [entry("m/data/1", FLOATS)]
    yield loads("storage_unused", zip_file(*torch_entries(), *two))


def persistent_ids():
    def refused(what, opcodes, part):
        return corrupt(f"id_{what}", holding(opcodes + HERE + b"Q"), part)

    good = [text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), integer(4)]
    yield refused("string", text("0"), "a persistent id is a string, not a tuple")
    yield refused("empty", b")", "a persistent id of 0 items")
    yield refused("short", tuple_of(*good[:4]), "a persistent id of 4 items")
    yield refused("long", tuple_of(*good, b"N", b"N"), "a persistent id of 7 items")
    for place, what, part in (
        (0, "kind", "kind is None"), (1, "type", "type is None"), (2, "key", "key is None"),
        (3, "location", "location is None"), (4, "numel", "number of elements is None"),
    ):  # fmt: skip
        items = good[:place] + [b"N"] + good[place + 1 :]
        yield refused(f"without_{what}", tuple_of(*items), part)
    module = tuple_of(text("module"), b"NNNN") + HERE + b"Q"
    yield unsupported("id_of_module", holding(module), "a persistent id of kind 'module'")


def calls():
    def refused(what, function, arguments, part, kind=corrupt):
        module, _, attribute = function.rpartition(".")
        return kind(what, holding(name(module, attribute) + arguments + HERE + b"R"), part)

    rebuild = "torch._utils._rebuild_tensor_v2"
    good = [storage(), integer(0), integers(4), integers(1), b"\x89", b"N"]
    yield corrupt("call_of_string", holding(text("x") + b")" + HERE + b"R"), "what is called is a string")
    yield corrupt("call_of_tensor", holding(tensor() + b")" + HERE + b"R"), "called is a tensor")
    yield refused("call_of_dtype", "torch.float32", b")", "torch.float32 is not something to call")
    yield refused("call_of_storage", "torch.FloatStorage", b")", "is not something to call")
    yield refused("arguments_in_list", rebuild, list_of(*good), "the argument list is a list")
    for count in range(4):
        yield refused(f"arguments_{count}", rebuild, tuple_of(*good[:count]), f"with {count} arguments")
    yield refused("arguments_9", rebuild, tuple_of(*good, b"N", b"N", b"N"), "with 9 arguments")
    yield refused("tensor_without_storage", rebuild, tuple_of(b"N", *good[1:]), "storage is None")
    yield refused("tensor_of_tensor", rebuild, tuple_of(tensor(), *good[1:]), "storage is a tensor")
    flags = tuple_of(*good, dict_of(conj=b"\x88"))
    yield refused("tensor_conjugate", rebuild, flags, "conjugate or negative bits", unsupported)
    yield refused("tensor_with_odd_flags", rebuild, tuple_of(*good, b"N"), "metadata is None")
    parameter = "torch._utils._rebuild_parameter"
    yield refused("parameter_of_None", parameter, b"(NNNt", "a parameter's data is None")
    yield refused("parameter_alone", parameter, tensor() + b"\x85", "a parameter with 1 arguments")
    yield refused("size_of_list", "torch.Size", b"]\x85", "torch.Size's argument is a list")
    yield refused("counter_of_tensor", "collections.Counter", tensor() + b"\x85", "is a tensor, not a dict")
    ordered = "collections.OrderedDict"
    for what, items in {"None": b"]Na", "single": b"]N\x85a", "triple": b"]NNN\x87a"}.items():
        yield refused(f"ordered_dict_of_{what}", ordered, items + b"\x85", "something else than pairs")
    yield refused("ordered_dict_of_dict", ordered, b"}\x85", "OrderedDict's argument is a dict")
    yield refused("ordered_dict_of_two", ordered, b"]]\x86", "OrderedDict with 2 arguments")


def quantizers():
    ones, zeros = list_of(*4 * [real(1)]), list_of(*4 * [b"K\0"])

    yield loads("quantized_right", holding(quantized(per_tensor())))
    yield loads("quantized_channels", holding(quantized(per_channel(ones, zeros))))
    for what, scale in {
        "nan": float("nan"), "infinite": float("inf"), "zero": 0, "negative": -1,
        "infinite_as_float32": 1e300, "zero_as_float32": 1e-300,
    }.items():  # fmt: skip
        data = holding(quantized(per_tensor(real(scale))))
        yield corrupt(f"scale_{what}", data, "'w': a scale of its quantization is")
    for what, point in {"128": 128, "minus_129": -129, "2_62": 1 << 62}.items():
        data = holding(quantized(per_tensor(zero_point=integer(point))))
        yield corrupt(f"zero_point_{what}", data, "'w': a zero point of its quantization is")

    def refused(what, quantizer, part, error=corrupt, **facts):
        return error(what, holding(quantized(quantizer, before_call=HERE, **facts)), part)

    yield refused("scheme_missing", b"N", "a quantized tensor without a scheme")
    odd = tuple_of(name("torch", "Size"), real(1), b"K\0")
    yield refused("scheme_odd", odd, "the scheme", unsupported)
    yield refused("scheme_short", tuple_of(name("torch", "per_tensor_affine")), "a quantizer of 1 items")
    yield refused("scale_int", per_tensor(b"K\1"), "scale and zero point are an int and an int")
    yield refused("axis_past", per_channel(ones, zeros, integer(2)), "the axis of the scales")
    yield refused("axis_negative", per_channel(ones, zeros, integer(-1)), "the axis of the scales")
    yield refused("axis_huge", per_channel(ones, zeros, integer(LARGEST)), "the axis of the scales")
    yield refused("too_few_scales", per_channel(list_of(real(1)), zeros), "1 scales for 4 channels")
    yield refused("too_few_zero_points", per_channel(ones, b"]"), "0 zero points for 4 channels")
    yield refused("scales_of_ints", per_channel(zeros, zeros), "the scales hold an int")
    yield refused("scales_None", per_channel(b"N", zeros), "the scales are None")
    wrong = tensor(kind="IntStorage", key="1")
    yield refused("scales_of_int32", per_channel(wrong, zeros), "the scales are 4 of int32")
    square = tensor(size=integers(2, 2), stride=integers(2, 1), key="1")
    yield refused("scales_square", per_channel(square, zeros), "the scales are 2×2 of float32")
    part = "a quantized tensor with elements of uint8"
    yield refused("quantized_bytes", per_tensor(), part, kind="ByteStorage")


def rows():
    for area in (views, broadcasts, storages, persistent_ids, calls, quantizers):
        yield from area()
