# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers written the way torch.save and the safetensors library write them, or with a lie."""

import json
import struct
import zlib

from opcodes import dict_of, integer, list_of, pickle, tensor, text
from row import HERE

FLOATS = struct.pack("<4f", 1, 2, 3, 4)
STATE_DICT = pickle(dict_of(w=tensor()))

LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
LOCATOR64, END64 = b"PK\6\7", b"PK\6\6"


def entry(name, data=b"", **lies):
    """One entry of a zip. `lies` replace what its two headers say: local_… of the local one alone."""
    name = name if isinstance(name, bytes) else name.encode()
    facts = {
        "name": name, "data": data, "flags": 0, "method": 0, "crc": zlib.crc32(data),
        "packed": len(data), "size": len(data), "extra": b"", "disk": 0, "header_at": None,
        "name_size": None, "extra_size": None, "behind": b"",
    } | lies  # fmt: skip
    for fact in ("name", "flags", "method", "crc", "packed", "size"):
        facts.setdefault(f"local_{fact}", facts[fact])
    facts.setdefault("local_extra", b"")
    facts.setdefault("local_extra_size", len(facts["local_extra"]))
    return facts


def deflated(name, data, **lies):
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush()
    return entry(name, packed, **{"method": 8, "crc": zlib.crc32(data), "size": len(data)} | lies)


def local_header(e):
    fixed = struct.pack(
        "<4sHHHIIIIHH", LOCAL, 20, e["local_flags"], e["local_method"], 0, e["local_crc"],
        e["local_packed"], e["local_size"], len(e["local_name"]), e["local_extra_size"],
    )  # fmt: skip
    return fixed + e["local_name"] + e["local_extra"]


def central_header(e, at):
    fixed = struct.pack(
        "<4sHHHHIIIIHHHHHII", CENTRAL, 20, 20, e["flags"], e["method"], 0, e["crc"], e["packed"],
        e["size"], len(e["name"]) if e["name_size"] is None else e["name_size"],
        len(e["extra"]) if e["extra_size"] is None else e["extra_size"], 0, e["disk"], 0, 0,
        at if e["header_at"] is None else e["header_at"],
    )  # fmt: skip
    return fixed + e["name"] + e["extra"]


def end64(begin, size, count, lies):
    """The ZIP64 end record, which stands behind the directory, and the locator that says so."""
    said = {"entries": count, "here": count, "size": size, "begin": begin, "disk": 0,
            "at": begin + size} | lies  # fmt: skip
    return struct.pack(
        "<4sQHHIIQQQQ", END64, 44, 45, 45, said["disk"], 0, said["here"], said["entries"],
        said["size"], said["begin"],
    ) + struct.pack("<4sIQI", LOCATOR64, 0, said["at"], 1)  # fmt: skip


def zip_file(*entries, gap=b"", comment=b"", zip64=None, **lies):
    """`lies` replace what the end record says; `zip64`, a dict, adds a ZIP64 one with its own."""
    file, directory = b"", b""
    for e in entries:
        directory += central_header(e, len(file))
        file += local_header(e) + e["data"] + e["behind"]
    file += gap
    begin, size, count = len(file), len(directory), len(entries)
    said = {"disk": 0, "here": count, "entries": count, "size": size, "begin": begin,
            "comment_size": len(comment)} | lies  # fmt: skip
    file += directory + (b"" if zip64 is None else end64(begin, size, count, zip64))
    return file + struct.pack(
        "<4sHHHHIIH", END, said["disk"], 0, said["here"], said["entries"], said["size"],
        said["begin"], said["comment_size"],
    ) + comment  # fmt: skip


def torch_entries(data_pkl=STATE_DICT, storage=FLOATS):
    """What torch.save writes, without the padding."""
    return [
        entry("m/data.pkl", data_pkl), entry("m/byteorder", b"little"),
        entry("m/data/0", storage), entry("m/version", b"3\n"),
    ]  # fmt: skip


def torch_zip(data_pkl=STATE_DICT, storage=FLOATS):
    """A mark HERE in the pickle stays in its place."""
    clean = data_pkl.replace(HERE, b"")
    return zip_file(*torch_entries(clean, storage)).replace(clean, data_pkl, 1)


MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."


def legacy_file(
    magic=MAGIC,
    protocol=pickle(integer(1001)),
    system=pickle(dict_of(little_endian=b"\x88")),
    data_pkl=STATE_DICT,
    keys=pickle(list_of(text("0"))),
    storages=struct.pack("<q", 4) + FLOATS,
):
    return magic + protocol + system + data_pkl + keys + storages


def safetensors_file(header, data=FLOATS, length=None):
    """`length` is what the first eight bytes say. A mark HERE in the header stays in its place."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(header.replace(HERE, b"")) if length is None else length
    return struct.pack("<Q", size) + header + data
