// SPDX-License-Identifier: LGPL-2.1-or-later
// The input is a zip archive. Mutations change what is in it and write a sound archive again, or
// one in which a single header lies.
#include "checkpoint/zip_directory.h"
#include "fuzz/mutate_pickle.h"
#include "fuzz/target.h"
#include "fuzz/zip_parts.h"
#include "support/checkpoint_bytes.h"

#include <algorithm>

using namespace tvw;
using fuzz::Random;
using fuzz::ZipParts;

namespace {

constexpr std::string_view kNames[] = {"m/data.pkl",
                                       "m/data/0",
                                       "m/data/1",
                                       "m/version",
                                       "m/byteorder",
                                       "m/.data/serialization_id",
                                       "m/constants.pkl",
                                       "M/DATA.PKL",
                                       "m/../x",
                                       "/m",
                                       "m//x",
                                       "m\\x",
                                       "other/x",
                                       "",
                                       "m/\xff"};
constexpr std::string_view kContents[] = {"3\n", "1", "10\r\n", "11",        "little",
                                          "big", "x", "",       "\x80\x02}."};

/// The pickle changed and, most often, the storages that it names made to fit.
void change_pickle(ZipParts &parts, Random &random) {
    ZipParts::Entry *entry = parts.find("data.pkl");
    if (entry == nullptr)
        return;
    const std::string folder = entry->name.substr(0, entry->name.size() - 8);
    const std::string pickle = fuzz::mutate_pickle(entry->packed, random);
    entry->set(pickle);
    if (random.one_in(6))
        return;
    for (const fuzz::NamedStorage &storage : fuzz::storages_of(pickle)) {
        const std::string name = folder + "data/" + storage.key;
        if (parts.find(name) == nullptr)
            parts.entries.push_back({.name = name, .packed = {}});
        parts.find(name)->set(storage.bytes);
    }
}

void change_form(ZipParts::Entry &entry, Random &random) {
    switch (random.below(8)) {
    case 0:
        entry.zip64 = !entry.zip64;
        break;
    case 1: // sizes and checksum behind the bytes, in one of four forms, or not at all
        entry.flags ^= kZipDescriptor;
        entry.descriptor.assign((entry.flags & kZipDescriptor) != 0 ? 8 + 4 * random.below(5) : 0,
                                'd');
        break;
    case 2:
        entry.crc = random.one_in(2) ? 0 : uint32_t(random.number());
        break;
    case 3:
        fuzz::mutate_bytes(entry.local_extra);
        break;
    case 4:
        if (random.one_in(2)) { // parts of ZIP64's, of any size
            for (size_t parts = 1 + random.below(2); parts > 0; --parts)
                entry.extra +=
                    std::string("\1\0\x08\0", 4) + std::string(7 + random.below(2), '\0');
        } else {
            fuzz::mutate_bytes(entry.extra);
        }
        break;
    case 5:
        entry.flags = uint16_t(entry.flags ^ 1U << random.below(16));
        break;
    case 6:
        entry.comment += "c";
        break;
    default:
        entry.method = uint16_t(random.pick("\0\1\x08\x0c\x0e"));
    }
}

void change_entries(ZipParts &parts, Random &random) {
    auto &entries = parts.entries;
    if (entries.empty() || random.one_in(6)) {
        ZipParts::Entry entry{.name = std::string(random.pick(kNames)), .packed = {}};
        entry.set(std::string(random.pick(kContents)), random.one_in(4));
        entries.insert(entries.begin() + ptrdiff_t(random.below(entries.size() + 1)), entry);
        return;
    }
    const size_t at = random.below(entries.size());
    ZipParts::Entry &entry = entries[at];
    switch (random.below(7)) {
    case 0:
        entries.erase(entries.begin() + ptrdiff_t(at));
        break;
    case 1:
        std::swap(entry, entries[random.below(entries.size())]);
        break;
    case 2:
        entry.name = random.pick(kNames);
        break;
    case 3: {
        std::string bytes = entry.packed;
        fuzz::mutate_bytes(bytes);
        entry.set(bytes);
        break;
    }
    case 4:
        entry.set(std::string(random.pick(kContents)));
        break;
    case 5:
        fuzz::mutate_bytes(entry.packed); // the checksum stays
        break;
    default:
        change_form(entry, random);
    }
}

/// The archive as the only entry of another one.
ZipParts wrapped(const std::string &file, Random &random) {
    ZipParts outer;
    outer.entries.push_back({.name = "a.pth", .packed = {}});
    outer.entries[0].set(file, random.one_in(2));
    if (random.one_in(4))
        fuzz::mutate_bytes(outer.entries[0].packed);
    if (random.one_in(4))
        outer.entries[0].size = random.number();
    return outer;
}

std::string mutate(const std::string &file, Random &random) {
    // Most of what libFuzzer collects breaks at some place, and what comes after it is not seen.
    const bool anew = random.one_in(4);
    auto parts = fuzz::take_apart(anew ? test::torch_zip(test::pickle("}")) : file);
    if (!parts)
        return {};
    if (random.one_in(40))
        return wrapped(file, random).bytes();
    if (parts->entries.size() == 1 && random.one_in(2)) {
        const std::string inner = mutate(parts->entries[0].packed, random);
        if (!inner.empty())
            parts->entries[0].set(inner, random.one_in(4));
        return parts->bytes();
    }
    for (size_t changes = 1 + random.below(anew ? 1 : 2); changes > 0; --changes) {
        if (random.one_in(3))
            change_pickle(*parts, random);
        else
            change_entries(*parts, random);
    }
    if (random.one_in(16))
        parts->zip64 = !parts->zip64;
    return random.one_in(4) ? parts->bytes_with_lie(random) : parts->bytes();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (const auto state_dict = fuzz::check_checkpoint(data, size))
        fuzz::check_saving(*state_dict);
    return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                                          unsigned seed) {
    return fuzz::mutate_input(data, size, max_size, seed, mutate);
}
