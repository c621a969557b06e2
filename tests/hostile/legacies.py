# SPDX-License-Identifier: LGPL-2.1-or-later
"""The container before PyTorch 1.6: five pickles, then the storages."""

import struct

from containers import FLOATS, MAGIC, legacy_file
from opcodes import dict_of, integer, integers, list_of, name, pickle, tensor, text, tuple_of
from row import HERE, corrupt, loads, unsupported


def pickles():
    yield loads("right", legacy_file())
    for what, magic in {
        "other_number": MAGIC.replace(b"\x6c", b"\x6d"), "short_number": pickle(b"\x8a\1x") + bytes(99),
        "text": pickle(text("hello")), "code": pickle(name("posix", "system") + text("true") + b"\x85R"),
    }.items():  # fmt: skip
        yield corrupt(f"magic_{what}", legacy_file(magic=magic), "not one that torch.save begins with", 0)
    yield corrupt("magic_alone", MAGIC, "the file ends in the middle of a pickle")
    yield corrupt("magic_cut", MAGIC[:9], "15 bytes are needed", 0)
    for what, opcodes in {"1000": integer(1000), "1002": integer(1002), "text": text("1001")}.items():
        data = legacy_file(protocol=pickle(HERE + opcodes))
        yield unsupported(f"protocol_{what}", data, "not torch.save's protocol 1001")
    little = text("little_endian")
    for what, value in {"false": b"\x89", "None": b"N", "int": b"K\1"}.items():
        data = legacy_file(system=pickle(b"}" + HERE + little + value + b"s"))
        yield unsupported(f"big_endian_{what}", data, "not little-endian")
    for what, opcodes in {"empty": b"}", "list": b"]", "None": b"N"}.items():
        data = legacy_file(system=pickle(HERE + opcodes))
        yield corrupt(f"system_{what}", data, "does not say which byte order")
    code = HERE + name("posix", "system") + text("touch hostile-was-here") + b"\x85R"
    for place in ("protocol", "system", "data_pkl", "keys"):
        yield unsupported(f"code_in_{place}", legacy_file(**{place: pickle(code)}), "'posix.system'")
    for place in ("protocol", "system", "data_pkl", "keys"):
        data = legacy_file(**{place: HERE + b"}."})
        yield corrupt(f"no_protocol_in_{place}", data, "a pickle must begin here")
    yield unsupported("nested", legacy_file(keys=pickle(b")" + 1_000_000 * b"\x85")), "nested deeper")
    cut = b"\x80\x02" + list_of(text("0"))
    yield corrupt("no_stop", legacy_file(keys=cut, storages=b""), "ends in the middle of a pickle")


def keys():
    def with_keys(*opcodes):
        return legacy_file(keys=pickle(list_of(*opcodes)))

    yield corrupt("keys_dict", legacy_file(keys=pickle(HERE + b"}")), "keys are not a list")
    yield corrupt("key_int", with_keys(HERE + b"K\0"), "a storage's key is not a string")
    yield corrupt("key_unknown", with_keys(HERE + text("1")), "storage '1' belongs to no tensor")
    yield corrupt("key_twice", with_keys(text("0"), HERE + text("0")), "storage '0' is there twice")
    yield corrupt("key_absent", with_keys(), "storage '0' is not in the file")
    named = legacy_file(data_pkl=pickle(dict_of(w=tensor(key="../x"))))
    yield corrupt("key_traversal", named, "storage '0' belongs to no tensor")
    two = dict_of(v=tensor(key="1"), w=tensor())
    yield corrupt("key_of_two_absent", legacy_file(data_pkl=pickle(two)), "storage '1' is not in the file")


def storages():
    def with_storage(count, data=FLOATS):
        return legacy_file(storages=HERE + struct.pack("<q", count) + data)

    for what, count in {"more": 5, "fewer": 3, "none": 0, "negative": -4, "2_62": 1 << 62}.items():
        part = f"has {count % (1 << 64)} elements, expected 4"
        yield corrupt(f"count_{what}", with_storage(count), part)
    yield corrupt("count_big_endian", with_storage(4 << 56), "elements, expected 4")
    yield corrupt("count_cut", legacy_file(storages=HERE + bytes(7)), "ends before storage '0'")
    cut = legacy_file(storages=struct.pack("<q", 4) + HERE + FLOATS[:-1])
    yield corrupt("storage_cut", cut, "reaches past the end")
    yield corrupt("storage_absent", legacy_file(storages=struct.pack("<q", 4) + HERE), "reaches past")
    yield corrupt("behind", legacy_file() + HERE + b"x", "goes on after its last storage")
    yield corrupt("twice", legacy_file() + HERE + legacy_file(), "goes on after its last storage")
    declared = legacy_file(data_pkl=pickle(dict_of(w=tensor(numel=1 << 29))))
    yield corrupt("declared_2gb", declared, "cannot be in a file of")


def views():
    def part(*items, size=integers(1), id_mark=b"", call_mark=b""):
        made = tensor(size=size, view=tuple_of(*items), before_call=call_mark)
        return legacy_file(data_pkl=pickle(dict_of(w=made.replace(b"tQ", b"t" + id_mark + b"Q"))))

    key = text("v")
    yield loads("view", part(key, integer(1), integer(3), size=integers(3)))
    too_long = part(key, integer(1), integer(3), size=integers(4), call_mark=HERE)
    yield corrupt("view_too_short", too_long, "reach past a storage of 3")
    for what, items, complaint in (
        ("past_the_root", (key, integer(2), integer(3)), "reaches past its storage of 4"),
        ("far_past_the_root", (key, integer(1 << 40), integer(1)), "reaches past its storage of 4"),
        ("wrapping", (key, integer(4), integer((1 << 63) - 1)), "reaches past its storage of 4"),
        ("before_the_root", (key, integer(-1), integer(1)), "offset is negative"),
        ("negative", (key, integer(1), integer(-1)), "number of elements is negative"),
        ("of_two", (key, integer(1)), "a storage's view of 2 items"),
        ("of_text", (key, text("1"), integer(1)), "offset is a string"),
    ):  # fmt: skip
        yield corrupt(f"view_{what}", part(*items, id_mark=HERE), complaint)


def rows():
    for area in (pickles, keys, storages, views):
        yield from area()
