# SPDX-License-Identifier: LGPL-2.1-or-later
"""safetensors: a length, a header of JSON, the elements."""

import struct

from containers import FLOATS, safetensors_file
from row import HERE, corrupt, loads, unsupported


def entry(dtype="F32", shape=(4,), data_offsets=(0, 16)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(data_offsets)}


def one(data=FLOATS, **facts):
    return safetensors_file({"w": entry(**facts)}, data)


ENTRY = b'{"dtype":"F32","shape":[4],"data_offsets":[0,16]}'


def lengths():
    header = b'{"w":' + ENTRY + b"}"
    yield loads("right", one())
    yield loads("padded", safetensors_file(header + 20 * b" "))
    for what, length in {"past_eof": 1000, "of_2gb": 1 << 25}.items():
        yield corrupt(f"length_{what}", safetensors_file(header, length=length), "past the end", 0)
    for what, length in {"too_large": 100 << 20, "of_2_55": 1 << 55}.items():
        data = safetensors_file(header, length=length)
        yield unsupported(f"length_{what}", data, "more than the limit of 67108864", 0)
    for what, length in {"of_2_62": 1 << 62, "of_2_64": (1 << 64) - 1, "big_endian": 99 << 56}.items():
        yield corrupt(f"length_{what}", safetensors_file(header, length=length), "not a checkpoint", 0)
    yield corrupt("length_0", safetensors_file(header, length=0), "no valid JSON")
    yield corrupt("length_1", safetensors_file(header, length=1), "no valid JSON")
    yield corrupt("length_one_less", safetensors_file(header, length=len(header) - 1), "no valid JSON")
    yield corrupt("length_one_more", safetensors_file(header, length=len(header) + 1), "a NUL")
    yield corrupt("length_alone", struct.pack("<Q", 100), "not a checkpoint", 0)
    yield corrupt("brace_alone", struct.pack("<Q", 1) + b"{", "no valid JSON")


def json():
    def header(text, part, what, make=corrupt):
        return make(what, safetensors_file(text), part)

    yield header(b'{"w":' + ENTRY, "no valid JSON", "not_closed")
    yield header(b'{"w":' + ENTRY + b"}" + HERE + b"}", "no valid JSON", "closed_twice")
    yield header(b'{"w":' + ENTRY + b"," + HERE + b"}", "no valid JSON", "comma")
    yield header(b"{" + HERE + b"'w':" + ENTRY + b"}", "no valid JSON", "quotes")
    yield header(b"{" + HERE + b'/**/"w":' + ENTRY + b"}", "no valid JSON", "commented")
    yield header(b'{"w":' + ENTRY + b"}" + HERE + b"\0", "the header has a NUL", "nul_behind")
    yield header(b'{"' + HERE + b'\xff":' + ENTRY + b"}", "no valid JSON", "not_utf8")
    yield header(b'{"\\ud800' + HERE + b'":' + ENTRY + b"}", "no valid JSON", "surrogate")
    yield header(b'{"\\' + HERE + b'x00":' + ENTRY + b"}", "no valid JSON", "escape")
    yield header(b'{"w":' + HERE + b"[" + 90_000 * b"[", "an array where none belongs", "deep_arrays")
    deep = b'{"w":' + b'{"dtype":' + HERE + 9_000 * b'{"dtype":'
    yield header(deep, "an object where none belongs in 'w'", "deep_objects")
    for what, (value, named) in {
        "null": (b"nul" + HERE + b"l", "null"), "boolean": (b"tru" + HERE + b"e", "a boolean"),
        "string": (b'"F32' + HERE + b'"', "a string where none belongs"),
    }.items():  # fmt: skip
        yield header(b'{"w":' + value + b"}", f"the header has {named}", f"entry_{what}")
    yield header(b'{"":' + ENTRY + b"}", "the name ''", "nameless")
    yield header(b'{"w":' + ENTRY + b',"w' + HERE + b'":' + ENTRY + b"}", "the name 'w' twice", "name_twice")
    escaped = b',"\\u0077' + HERE + b'":'
    yield header(b'{"w":' + ENTRY + escaped + ENTRY + b"}", "the name 'w' twice", "name_twice_escaped")
    long = b'{"' + 5000 * b"x" + HERE + b'":' + ENTRY + b"}"
    yield header(long, "a name longer than the limit of 4096", "name_long", unsupported)
    yield header(b"{}", "the file goes on after its last tensor", "no_entries")


def fields():
    def field(text, part, what):
        return corrupt(f"field_{what}", safetensors_file(b'{"w":{' + text + b"}}"), part)

    yield field(b"", "too few fields in 'w'", "none")
    yield field(b'"dtype":"F32","shape":[4]', "too few fields in 'w'", "missing")
    unknown = b'"dtype":"F32","shape":[4],"data_offsets":[0,16],"code' + HERE + b'":1'
    yield field(unknown, "the unknown field 'code' in 'w'", "unknown")
    yield field(b'"dtype":"F32","dtype' + HERE + b'":"F64"', "the field 'dtype' twice in 'w'", "twice")
    yield field(b'"dtype":3' + HERE + b",", "a number where none belongs in 'w'", "dtype_number")
    yield field(b'"shape":"4' + HERE + b'"', "a string where none belongs in 'w'", "shape_string")
    yield field(b'"shape":4' + HERE + b",", "a number where none belongs in 'w'", "shape_number")
    yield field(b'"shape":[-1' + HERE + b"]", "a negative number in 'w'", "shape_negative")
    yield field(b'"shape":[4.0' + HERE + b"]", "a float in 'w'", "shape_float")
    yield field(b'"shape":[4e9' + HERE + b"]", "a float in 'w'", "shape_exponent")
    yield field(b'"shape":[1e999' + HERE + b"]", "", "shape_infinite")
    yield field(b'"shape":[18446744073709551616' + HERE + b"]", "a float in 'w'", "shape_2_64")
    yield field(b'"shape":[nul' + HERE + b"l]", "null in 'w'", "shape_null")
    yield field(b'"shape":[' + HERE + b"[", "an array where none belongs in 'w'", "shape_nested")
    yield field(b'"shape":[1,1,1,1,1,1,1,1,1' + HERE + b"]", "a number where none belongs", "rank_9")
    yield field(b'"data_offsets":[0,1,2' + HERE + b"]", "a number where none belongs", "three_offsets")
    yield field(b'"dtype":"F32","shape":[4],"data_offsets":[0]', "too few fields", "one_offset")


def metadata():
    def holding(text, part, what):
        data = safetensors_file(b'{"__metadata__":' + text + b',"w":' + ENTRY + b"}")
        return corrupt(f"metadata_{what}", data, part) if part else loads(f"metadata_{what}", data)

    yield holding(b'{"a":"b"}', "", "right")
    yield holding(b'{"a":1' + HERE + b"}", "a number where none belongs in its metadata", "number")
    yield holding(b'{"a":' + HERE + b"{}}", "an object where none belongs in its metadata", "nested")
    yield holding(b'{"a":' + HERE + b"[]}", "an array where none belongs in its metadata", "array")
    yield holding(b'"a' + HERE + b'"', "a string where none belongs", "string")
    twice = b'{},"__metadata__' + HERE + b'":{}'
    yield holding(twice, "the name '__metadata__' twice", "twice")


def ranges():
    def refused(what, part, data=FLOATS, **facts):
        return corrupt(what, one(data, **facts), part)

    yield refused("range_past_eof", "reaches from 0 to 32 in 16", shape=(8,), data_offsets=(0, 32))
    yield refused("range_of_2gb", "in 16 bytes", shape=(1 << 29,), data_offsets=(0, 1 << 31))
    yield refused("range_of_2_64", "in 16 bytes", data_offsets=(0, (1 << 64) - 1))
    yield refused("range_reversed", "reaches from 16 to 0", data_offsets=(16, 0))
    yield refused("range_begins_late", "leaves a gap before it", shape=(2,), data_offsets=(8, 16))
    yield refused("range_ends_early", "goes on after its last tensor", shape=(2,), data_offsets=(0, 8))
    yield refused("data_cut", "in 15 bytes of data; is the download complete?", data=FLOATS[:-1])
    yield refused("data_missing", "in 0 bytes of data", data=b"")
    yield refused("data_goes_on", "goes on after its last tensor", data=FLOATS + b"x")
    for what, (v, w) in {
        "overlap": ((0, 12), (8, 16)), "same": ((0, 16), (0, 16)), "inside": ((0, 16), (4, 8)),
    }.items():  # fmt: skip
        both = {"v": entry("U8", (v[1] - v[0],), v), "w": entry("U8", (w[1] - w[0],), w)}
        yield corrupt(f"range_{what}", safetensors_file(both), "overlaps the tensor before it")
    gap = {"v": entry("U8", (4,), (0, 4)), "w": entry("U8", (8,), (8, 16))}
    yield corrupt("range_gap", safetensors_file(gap), "'w' leaves a gap before it")
    part = "is not what its shape needs"
    for what, shape in {
        "large": (5,), "small": (3,), "empty": (0,), "wrapping": ((1 << 62) + 4,),
        "wrapping_to_16": (1 << 32, 1 << 32, 4), "empty_wrapping": (0, 1 << 62, 4),
    }.items():  # fmt: skip
        yield refused(f"shape_{what}", part, shape=shape)
    yield refused("dtype_too_wide", part, dtype="F64")
    for dtype in ("F8_E4M3", "C64", "U16", "U32", "f32", "", "F32\\u0000", 200 * "F"):
        what = dtype[:9].strip("\\") or "empty"
        yield unsupported(f"dtype_{what}", one(dtype=dtype), "'w' has dtype")
    bools = one(dtype="BOOL", shape=(16,))
    yield corrupt("bool_of_2", bools, "'w' holds bools other than 0, 1")


def rows():
    for area in (lengths, json, fields, metadata, ranges):
        yield from area()
