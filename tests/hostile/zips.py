# SPDX-License-Identifier: LGPL-2.1-or-later
"""Zip archives that two readers would understand differently, or none."""

import struct
import zlib

from containers import (
    CENTRAL, END, END64, FLOATS, LOCAL, LOCATOR64, deflated, entry, torch_entries, torch_zip, zip_file,
)  # fmt: skip
from row import corrupt, loads, unsupported

MAX16, MAX32, MAX64 = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


def names():
    def also(name, **lies):
        return zip_file(*torch_entries(), entry(name, b"x", **lies))

    yield corrupt("duplicate_name", also("m/version"), "'m/version' is in the zip twice")
    yield corrupt("duplicate_name_in_capitals", also("m/VERSION"), "is in the zip twice")
    yield corrupt("duplicate_storage_in_capitals", also("m/DATA/0"), "is in the zip twice")
    yield unsupported("two_folders", also("n/x"), "not in one folder", CENTRAL)
    yield unsupported("drive_letter", also("C:/x"), "not in one folder")
    for kind, name in {
        "traversal": "../x", "traversal_inside": "m/../../x", "absolute": "/etc/passwd",
        "backslash": "m\\..\\x", "nul": "m/data\0.pkl", "dot": "m/./x", "nothing_between": "m//x",
        "folder": "m/", "not_utf8": b"m/\xc3\x28", "nameless": "",
    }.items():  # fmt: skip
        yield corrupt(f"name_{kind}", also(name), "is not a plain name", CENTRAL)
    yield unsupported("name_too_long", also("m/" + 5000 * "x"), "a name of 5002 bytes", CENTRAL)
    yield corrupt("name_past_the_directory", also("m/x", name_size=4000), "in the middle of an entry")


def local_headers():
    def also(**lies):
        return zip_file(*torch_entries(), entry("m/x", b"x", **lies))

    for fact, lie in {"method": 8, "flags": 8, "crc": 1, "size": 2, "packed": 2}.items():
        data = also(**{f"local_{fact}": lie})
        yield corrupt(f"local_{fact}_differs", data, "disagrees", LOCAL)
    yield corrupt("local_name_differs", also(local_name=b"m/y"), "'m/y' in its local header", LOCAL)
    yield corrupt("local_name_longer", also(local_name=b"m/xx"), "disagrees", LOCAL)
    yield corrupt("local_extra_past_eof", also(local_extra_size=MAX16), "past the end", LOCAL)
    yield corrupt("header_at_another", also(header_at=0), "zip entries overlap", 0)
    yield corrupt("header_inside_another", also(header_at=1), "zip entries overlap", 1)
    part = "'m/x' has its local header at byte {}, past the end of the entries"
    places = {"past_eof": 0x7FFFFFF0, "at_4gb": MAX32, "at_the_end": 630, "in_the_directory": 330}
    for name, place in places.items():
        yield corrupt(f"header_{name}", also(header_at=place), part.format(place), CENTRAL)


def ranges():
    def also(data=b"x", **lies):
        return zip_file(*torch_entries(), entry("m/x", data, **lies))

    def sized(size, **lies):
        return also(size=size, packed=size, **lies)

    def size64(*values):
        return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)

    yield corrupt("declared_2gb", sized(0x7FFFFFFF), "of 2147483647 bytes reaches past", LOCAL)
    yield corrupt("declared_4gb", sized(MAX32), "of 4294967295 bytes reaches past", LOCAL)
    for name, size in {"8gb": 1 << 33, "2_63": 1 << 63, "2_64": MAX64}.items():
        data = sized(MAX32, extra=size64(size, size))
        yield corrupt(f"declared_{name}", data, f"of {size} bytes reaches past", LOCAL)
    far = also(header_at=MAX32, extra=size64(MAX64))
    yield corrupt("header_at_2_64", far, f"'m/x' has its local header at byte {MAX64}", CENTRAL)
    yield corrupt("two_sizes", also(size=2, local_size=2), "has two sizes", LOCAL)
    yield corrupt("overlap_by_one", sized(2), "zip entries overlap")
    yield corrupt("gap_of_one", sized(0, crc=0), "belong to no zip entry")
    yield corrupt("gap_before_the_directory", zip_file(*torch_entries(), gap=b"junk"), "belong to no")
    inner = zip_file(entry("m/b", b"quoted"))[:39]  # a header and its bytes
    quoted = zip_file(entry("m/a", inner), entry("m/b", b"quoted", header_at=33))
    yield corrupt("bomb_of_overlaps", quoted, "zip entries overlap", 33)
    for name, extra in {
        "short": b"\1\0\x08", "too_short_for_sizes": size64(5), "twice": size64(1, 1) + size64(1, 1),
    }.items():  # fmt: skip
        yield corrupt(f"extra_{name}", sized(MAX32, extra=extra), "damaged extra field", CENTRAL)
    yield corrupt("extra_past_the_directory", also(extra_size=1000), "in the middle of an entry")


def end_records():
    good = torch_entries()

    def zip64(**lies):
        return zip_file(*good, zip64=lies, entries=MAX16, here=MAX16, size=MAX32, begin=MAX32)

    yield loads("end64_right", zip64())
    yield corrupt("end64_missing", zip_file(*good, entries=MAX16, here=MAX16), "ZIP64 end", END)
    yield corrupt("end64_elsewhere", zip64(at=1), "does not name the record", LOCATOR64)
    yield corrupt("end64_at_2_64", zip64(at=MAX64), "does not name", LOCATOR64)
    yield corrupt("end64_of_two_counts", zip64(here=3), "end records disagree", END64)
    yield corrupt("end64_of_another_disk", zip64(disk=1), "end records disagree", END64)
    yield corrupt("end64_disagrees", zip_file(*good, zip64={}, entries=3, here=3), "disagree", END64)
    yield unsupported(
        "end64_of_2_64_entries", zip64(entries=MAX64, here=MAX64), "more than the limit", END64
    )
    yield corrupt("end64_directory_wraps", zip64(begin=MAX64, size=2), "does not end at", END)
    yield corrupt("end64_directory_past_eof", zip64(begin=1 << 40), "does not end at", END)
    yield corrupt("end64_directory_of_2_64", zip64(size=MAX64), "does not end at", END)

    yield corrupt("count_too_high", zip_file(*good, entries=5, here=5), "too short for 5", END)
    yield corrupt("count_too_low", zip_file(*good, entries=3, here=3), "more bytes than entries")
    yield unsupported("count_of_two_disks", zip_file(*good, here=3), "in several parts", END)
    yield unsupported("second_disk", zip_file(*good, disk=1), "in several parts", END)
    yield unsupported("entry_on_another_disk", zip_file(*good[:3], good[3] | {"disk": 1}), "several")
    yield corrupt("directory_too_late", zip_file(*good, begin=1 << 30), "does not end at", END)
    yield corrupt("directory_too_long", zip_file(*good, size=1 << 30), "does not end at", END)
    yield corrupt("directory_too_early", zip_file(*good, begin=0), "does not end at", END)
    yield corrupt("comment", zip_file(*good, comment=b"hello"), "does not end with its end record")
    yield corrupt("comment_promised", zip_file(*good, comment_size=5), "promises a comment", END)
    whole = zip_file(*good)
    damaged = whole.replace(CENTRAL, b"PK\1\3", 1)
    yield corrupt("central_signature", damaged, "central header", b"PK\1\3")
    damaged = whole[:4] + whole[4:].replace(LOCAL, b"PK\3\5")
    yield corrupt("local_signature", damaged, "does not begin with a local header")
    yield corrupt("no_entries", zip_file(), "the zip archive is empty", 0)
    yield corrupt("signature_alone", LOCAL, "does not end with its end record", 4)


def methods():
    good = torch_entries()
    for name, flags in {"encrypted": 1, "strongly_encrypted": 65, "masked": 1 << 13}.items():
        data = zip_file(*good, entry("m/x", b"x", flags=flags))
        yield unsupported(name, data, "'m/x' is encrypted", CENTRAL)
    for name, method in {"shrunk": 1, "deflate64": 9, "bzip2": 12, "lzma": 14, "odd": 99}.items():
        data = zip_file(*good, entry("m/x", b"x", method=method))
        yield unsupported(f"method_{name}", data, f"compressed (method {method})", CENTRAL)
    yield unsupported("deflated_inside", zip_file(*good, deflated("m/x", b"x")), "(method 8)", CENTRAL)
    yield unsupported("odd_wrapper", zip_file(entry("x", b"x", method=99)), "(method 99)", CENTRAL)


def wrappers():
    whole = torch_zip()
    wrapped = deflated("m.pth", whole)
    yield loads("wrapped_deflated", zip_file(wrapped))
    yield loads("wrapped_stored", zip_file(entry("m.pth", whole)))
    twice = entry("n.zip", zip_file(wrapped))
    yield unsupported("wrapped_twice", zip_file(twice), "in a zip in a zip in a zip")
    yield unsupported("bomb", zip_file(deflated("bomb", bytes(64 << 20))), "unpacks from", CENTRAL)
    tenfold = whole
    for _ in range(10):
        tenfold = zip_file(deflated("again", tenfold))
    yield unsupported("bomb_of_zips", tenfold, "in a zip in a zip in a zip")
    cut = wrapped["data"][:-5]
    short = wrapped | {"data": cut, "packed": len(cut), "local_packed": len(cut)}
    yield corrupt("wrapped_cut", zip_file(short), "cannot be unpacked")
    for name, size in {"more": len(whole) + 1, "less": len(whole) - 1, "nothing": 0}.items():
        data = zip_file(deflated("m.pth", whole, size=size))
        yield corrupt(f"wrapped_promises_{name}", data, "cannot be unpacked")
    behind = wrapped["data"] + b"x"
    longer = wrapped | {"data": behind, "packed": len(behind), "local_packed": len(behind)}
    yield corrupt("wrapped_with_junk", zip_file(longer), "cannot be unpacked")
    yield corrupt("wrapped_checksum", zip_file(deflated("m.pth", whole, crc=1)), "has checksum")
    yield corrupt("wrapped_garbage", zip_file(entry("m", b"\xff" * 9, method=8)), "cannot be unpacked")
    inner = torch_zip(storage=FLOATS[:-1])
    yield corrupt("wrapped_and_damaged", zip_file(deflated("m", inner)), "of the file inside")


def contents():
    good = torch_entries()
    pickle, order, storage, version = good

    def without(e):
        return zip_file(*[other for other in good if other is not e])

    def but(e, **lies):
        return zip_file(*[other | lies if other is e else other for other in good])

    def with_text(e, text):
        name = e["name"]
        return zip_file(*[entry(name, text) if other is e else other for other in good])

    yield loads("right", zip_file(*good))
    yield loads("without_byteorder", without(order))
    unknown = [e | {"crc": 0, "local_crc": 0} for e in good]
    yield loads("checksums_of_zero", zip_file(*unknown))
    described = [
        e | {"flags": 8, "local_flags": 8, "local_crc": 0, "local_packed": 0, "local_size": 0,
             "behind": struct.pack("<4sIII", b"PK\7\x08", e["crc"], e["packed"], e["size"])}
        for e in good
    ]  # fmt: skip
    yield loads("sizes_behind_the_data", zip_file(*described))
    yield unsupported("no_pickle", without(pickle), "no 'm/data.pkl'")
    yield corrupt("no_version", without(version), "no entry 'm/version'")
    yield corrupt("no_storage", without(storage), "no entry for storage '0'")
    for name, text in {"old": b"0", "new": b"11", "empty": b"", "odd": b"3x", "negative": b"-3"}.items():
        yield unsupported(f"version_{name}", with_text(version, text), "file format version")
    yield corrupt("version_too_long", with_text(version, b"3" * 100), "'m/version' is too long")
    yield unsupported("big_endian", with_text(order, b"big"), "byte order 'big'")
    yield unsupported("byte_order_empty", with_text(order, b""), "byte order ''")
    yield corrupt("byte_order_too_long", with_text(order, b"l" * 99), "'m/byteorder' is too long")
    yield unsupported("torchscript", zip_file(*good, entry("m/constants.pkl")), "TorchScript")
    for name, e in {"pickle": pickle, "storage": storage, "version": version}.items():
        crc = zlib.crc32(e["data"]) ^ 1
        damaged = but(e, crc=crc, local_crc=crc)
        yield corrupt(f"checksum_of_{name}", damaged, "has checksum", e["data"])
    for name, data in {"short": FLOATS[:-1], "long": FLOATS + b"x", "empty": b""}.items():
        yield corrupt(f"storage_too_{name}", torch_zip(storage=data), f"has {len(data)} bytes, expected")


def rows():
    for area in (names, local_headers, ranges, end_records, methods, wrappers, contents):
        yield from area()
