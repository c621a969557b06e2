# SPDX-License-Identifier: LGPL-2.1-or-later
"""Streams in data.pkl that nobody's torch.save would write: opcodes, names, growth."""

from containers import torch_zip
from opcodes import dict_of, list_of, name, pickle, storage, tensor, text, tuple_of
from row import HERE, corrupt, loads, mismatch, unsupported

HARMLESS = text("touch hostile-was-here")


def names_of_code():
    def code(module, attribute, *arguments):
        call = tuple_of(*arguments) + b"R"
        return torch_zip(pickle(dict_of(w=HERE + name(module, attribute) + call)))

    for module, attribute in {
        "os": "system", "posix": "system", "subprocess": "Popen", "__builtin__": "eval",
        "builtins": "exec", "builtins.getattr": "x", "importlib": "import_module", "runpy": "run_path",
        "webbrowser": "open", "torch.storage": "_load_from_bytes", "torch": "load",
        "torch.serialization": "load", "numpy.core.multiarray": "_reconstruct",
        "argparse": "Namespace", "_codecs": "encode",
        "collections": "OrderedDict.fromkeys", "torch._utils": "_rebuild_tensor_v3", "Torch": "Size",
    }.items():  # fmt: skip
        data = code(module, attribute, HARMLESS)
        part = f"'{module}.{attribute}' is not among the names"
        yield unsupported(f"name_{module}.{attribute}", data, part)
    for module in ("torch.nn.modules.linear", "torchvision.models.resnet", "__main__", "__torch__"):
        yield unsupported(f"network_{module}", code(module, "X"), "the file holds a whole network")
    beside = dict_of(model=dict_of(w=tensor()), args=HERE + name("posix", "system") + HARMLESS + b"\x85R")
    yield unsupported("code_beside_the_state_dict", torch_zip(pickle(beside)), "'posix.system'")
    terminal = code("\x1b]0;owned\x07", "x")
    yield unsupported("name_that_writes_to_terminals", terminal, "'\\x1b]0;owned\\x07.x'")
    for what, module in {"empty": "", "not_utf8": "\udcff", "long": 4000 * "x"}.items():
        data = f"c{module}\nx\n".encode(errors="surrogateescape")
        yield unsupported(f"name_{what}", torch_zip(pickle(HERE + data)), "is not among the names")
    endless = torch_zip(b"\x80\x02c" + 5000 * b"x")
    yield corrupt("name_too_long", endless, "a name has no end within 4096 bytes")


def opcodes_of_others():
    """Every opcode of pickletools that torch.save does not write; with what follows it there."""
    for what, data in {
        "INT": b"I1\n", "LONG": b"L1L\n", "LONG4": b"\x8b\1\0\0\0\1", "STRING": b"S'x'\n",
        "BINBYTES": b"B\1\0\0\0x", "SHORT_BINBYTES": b"C\1x", "BINBYTES8": b"\x8e" + b"\xff" * 8,
        "BYTEARRAY8": b"\x96" + b"\xff" * 8, "NEXT_BUFFER": b"\x97", "READONLY_BUFFER": b"\x98",
        "UNICODE": b"Vx\n", "SHORT_BINUNICODE": b"\x8c\1x", "BINUNICODE8": b"\x8d" + b"\xff" * 8,
        "FLOAT": b"F1\n", "LIST": b"(l", "DICT": b"(d", "EMPTY_SET": b"\x8f", "ADDITEMS": b"(\x90",
        "FROZENSET": b"(\x91", "POP": b"0", "DUP": b"2", "POP_MARK": b"1", "GET": b"g0\n",
        "PUT": b"p0\n", "MEMOIZE": b"\x94", "EXT1": b"\x82\1", "EXT2": b"\x83\1\1",
        "EXT4": b"\x84\1\1\1\1", "STACK_GLOBAL": b"\x93", "INST": b"(ios\nsystem\n", "OBJ": b"(o",
        "NEWOBJ": b"\x81", "NEWOBJ_EX": b"\x92", "PERSID": b"P0\n", "FRAME": b"\x95" + b"\xff" * 8,
        "PROTO_again": b"\x80\x02", "zero": b"\0", "high": b"\xff",
    }.items():  # fmt: skip
        mark = data[:1] if data[:1] == b"(" else b""
        stream = torch_zip(pickle(b"}" + mark + HERE + data[len(mark) :]))
        yield corrupt(f"opcode_{what}", stream, "this opcode is not used by state dicts")


def streams():
    def stream(data):
        return torch_zip(b"\x80\x02" + data)

    yield corrupt("empty_pickle", torch_zip(b""), "'m/data.pkl' ends in the middle")
    yield corrupt("no_protocol", torch_zip(b"}."), "a pickle must begin here")
    for number in (0, 1, 3, 4, 5, 255):
        data = torch_zip(HERE + b"\x80" + bytes([number]) + b"}.")
        yield unsupported(f"protocol_{number}", data, f"pickle protocol {number}")
    yield corrupt("no_stop", stream(b"}"), "ends in the middle")
    yield corrupt("stop_of_nothing", stream(HERE + b"."), "stops with 0 values")
    yield corrupt("stop_of_two", stream(b"}}" + HERE + b"."), "stops with 2 values")
    yield corrupt("stop_with_mark", stream(b"}(" + HERE + b"."), "1 values and 1 open marks")
    yield corrupt("behind_stop", stream(b"}." + HERE + b"cos\nsystem\n."), "goes on after its end")
    for what, data in {
        "short_integer": b"K", "integer": b"J\0\0\0", "float": b"G\0\0\0", "string": text("abc")[:-1],
        "long": b"\x8a\x08\0", "reference": b"j\0\0", "string_length": b"X\0\0",
        "name": b"ctorch", "second_name": b"ctorch\nS",
    }.items():  # fmt: skip
        yield corrupt(f"cut_{what}", stream(data), "'m/data.pkl' ends in the middle")
    yield corrupt("string_past_the_end", stream(b"X\xff\x0f\0\0abc"), "ends in the middle")
    for what, data in {"unicode": b"X\xff\xff\xff\xff", "bytes": b"T\xff\xff\xff\x7f"}.items():
        yield unsupported(f"string_of_gigabytes_{what}", stream(HERE + data), "more than the limit")
    for what, data in {
        "stray": b"\xff", "overlong": b"\xc0\xaf", "surrogate": b"\xed\xa0\x80", "cut": b"\xe2\x82",
        "beyond": b"\xf4\x90\x80\x80",
    }.items():  # fmt: skip
        yield corrupt(f"utf8_{what}", stream(b"}" + HERE + text(data) + b"Ns."), "is not UTF-8")
    yield unsupported("integer_of_9_bytes", stream(HERE + b"\x8a\x09" + bytes(9)), "of 9 bytes")
    yield unsupported("integer_of_255_bytes", stream(HERE + b"\x8a\xff\0."), "of 255 bytes")


def stack():
    def applied(before, opcode, part, what):
        return corrupt(what, torch_zip(pickle(before + HERE + opcode)), part)

    for what, opcode in {
        "SETITEM": b"s", "APPEND": b"a", "REDUCE": b"R", "BUILD": b"b", "BINPERSID": b"Q",
        "TUPLE1": b"\x85", "TUPLE3": b"\x87",
    }.items():  # fmt: skip
        yield applied(b"", opcode, "the stack is empty", f"{what}_on_nothing")
        yield applied(b"}NN(", opcode, "the stack is empty", f"{what}_above_a_mark")
    for what, opcode in {"SETITEMS": b"u", "APPENDS": b"e", "TUPLE": b"t"}.items():
        yield applied(b"}NN", opcode, "there is no mark", f"{what}_without_mark")
    yield applied(b"}(N", b"u", "a key without a value", "SETITEMS_odd")
    for what, opcodes in {
        "list": b"]", "tuple": b")", "string": text("x"), "storage": storage(), "tensor": tensor(),
    }.items():  # fmt: skip
        part = f"applied to a {what}, not a dict"
        yield applied(opcodes + text("k") + b"N", b"s", part, f"SETITEM_on_{what}")
        yield applied(opcodes + b"(", b"u", part, f"SETITEMS_on_{what}")
        yield applied(opcodes + b"}", b"b", part, f"BUILD_on_{what}")
    yield applied(b"}N", b"a", "applied to a dict, not a list", "APPEND_on_dict")
    yield applied(b"}(N", b"e", "applied to a dict, not a list", "APPENDS_on_dict")
    yield applied(b"}N", b"b", "an object's state is not a dict", "BUILD_with_None")
    yield applied(b"", b"h\x05", "memo slot 5 is empty", "memo_empty")
    yield applied(b"}q\0h\0", b"j\1\0\0\0", "memo slot 1 is empty", "memo_next")
    yield applied(b"(", b"q\0", "nothing to remember", "memo_of_nothing")
    yield applied(b"}", b"r\x3f\x42\x0f\0", "more than can have been filled", "memo_far_ahead")
    data = torch_zip(pickle(b"}" + HERE + b"r\xff\xff\xff\xff"))
    yield unsupported("memo_of_4_billion", data, "memo slot 4294967295")


def cycles():
    for what, opcodes in {
        "list": b"]q\0h\0" + HERE + b"a", "list_by_many": b"]q\0(h\0" + HERE + b"e",
        "dict": b"}q\0" + text("x") + b"h\0" + HERE + b"s",
    }.items():  # fmt: skip
        yield corrupt(f"cycle_{what}", torch_zip(pickle(opcodes)), "into itself")
    for what, opcodes in {
        "tuple": b"]q\0h\0\x85q\1h\0h\1" + HERE + b"a", "two_lists": b"]q\0]q\1h\0ah\0h\1" + HERE + b"a",
        "dict_in_list": b"}q\0]q\1h\0ah\0" + text("x") + b"h\1" + HERE + b"s",
    }.items():  # fmt: skip
        yield corrupt(f"cycle_{what}", torch_zip(pickle(opcodes)), "already part of another value")


def growth():
    def stream(data):
        return torch_zip(pickle(data))

    million = 1_000_000
    yield unsupported("nested_tuples", stream(b")" + million * b"\x85"), "nested deeper")
    yield unsupported("nested_lists", stream(99_000 * b"]" + 98_999 * b"a"), "nested deeper")
    keys = 30_000 * (b"}" + text("k"))
    yield unsupported("nested_dicts", stream(keys + b"N" + 30_000 * b"s"), "nested deeper")
    beside = dict_of(model=dict_of(w=tensor()), x=b")" + 100 * b"\x85")
    yield unsupported("nested_beside_the_state_dict", stream(beside), "nested deeper")
    yield unsupported("marks", stream(200_000 * b"("), "more marks than the limit")
    yield unsupported("stack", stream(200_000 * b"N"), "a stack above the limit")
    yield unsupported("items", stream(b"]" + 101 * (b"(" + 9_999 * b"N" + b"e")), "more items than")
    lists = b"]" + 99 * (b"(" + 10_000 * b"]" + b"e")
    yield unsupported("a_million_lists", stream(lists), "holds a list, not a state dict")
    strings = b"]" + 99 * (b"(" + 10_000 * b"U\1x" + b"e")
    yield unsupported("a_million_strings", stream(strings), "holds a list, not a state dict")
    fold = b"]"
    for level in range(30):
        memo = bytes([level])
        fold += b"q" + memo + b"](" + 10 * (b"h" + memo) + b"e"
    yield unsupported("memo_bomb", stream(dict_of(w=b"(" + fold + b"t")), "a tuple other than")
    yield corrupt("dup_bomb", stream(b"]" + HERE + 100 * b"2"), "opcode '2'")
    pairs = name("collections", "OrderedDict") + b"q\1" + list_of(2_000 * b"NN\x86") + b"\x85q\2"
    yield unsupported("one_list_again_and_again", stream(pairs + 1_000 * b"h\1h\2R"), "more items")


def values():
    def holding(value):
        return torch_zip(pickle(value))

    yield unsupported("top_list", holding(HERE + b"]"), "holds a list, not a state dict")
    yield unsupported("top_tensor", holding(tensor(before_call=HERE)), "holds a tensor, not a state")
    yield unsupported("top_storage_name", holding(HERE + name("torch", "FloatStorage")), "holds a name")
    for what, (opcodes, named) in {
        "int": (b"K\3", "an int"), "float": (b"G" + bytes(8), "a float"), "bool": (b"\x88", "a bool"),
        "string": (text("resnet"), "a string"), "list": (b"]", "a list"), "dict": (b"}", "a dict"),
        "name": (name("torch", "Size"), "a name"),
    }.items():  # fmt: skip
        part = f"'w': {named} where a state dict has a tensor"
        yield unsupported(f"value_{what}", holding(dict_of(w=HERE + opcodes)), part)
    for what, items in {
        "one": tensor() + HERE + b"\x85", "three": 3 * tensor() + HERE + b"\x87",
        "numbers": b"K\1K\1" + HERE + b"\x86", "strings": tensor() + text("b") + HERE + b"\x86",
    }.items():  # fmt: skip
        yield unsupported(f"tuple_of_{what}", holding(dict_of(w=items)), "'w': a tuple other than")
    yield unsupported("key_integer", holding(b"}" + HERE + b"K\1" + tensor() + b"s"), "is an int")
    yield unsupported("key_None", holding(b"}" + HERE + b"N" + tensor() + b"s"), "is None")

    def twice(key, one, other):
        return holding(b"}" + text(key) + one + b"s" + HERE + text(key) + other + b"s")

    for what, (one, other) in {
        "tensors": (tensor(), tensor()), "None_first": (b"N", tensor()), "None_last": (tensor(), b"N"),
    }.items():  # fmt: skip
        yield corrupt(f"key_twice_{what}", twice("w", one, other), "the key 'w' is there twice")
    yield corrupt("wrapper_twice", twice("model", dict_of(w=tensor()), b"K\3"), "'model' is there twice")

    state = dict_of(w=tensor())
    yield mismatch("two_state_dicts", holding(HERE + dict_of(model=state, model_ema=state)), "'model_ema'")
    yield mismatch("state_dict_elsewhere", holding(HERE + dict_of(epoch=b"K\1", ema=state)), "'ema'")
    yield unsupported("state_dict_deeper", holding(dict_of(model=dict_of(model=state))), "a dict where")
    beside = dict_of(state_dict=HERE + b"K\3", w=tensor())
    yield unsupported("state_dict_number", holding(beside), "'state_dict': an int where")
    for what, opcodes in {
        "None": dict_of(w=b"N"), "empty": b"}", "dtype": dict_of(w=name("torch", "qint8")),
        "pair": dict_of(w=tensor() + b"N\x86"),
    }.items():  # fmt: skip
        yield loads(f"value_{what}", holding(opcodes))


def rows():
    for area in (names_of_code, opcodes_of_others, streams, stack, cycles, growth, values):
        yield from area()
