// SPDX-License-Identifier: LGPL-2.1-or-later
// The input is a legacy file: five pickles, then the storages.
#include "fuzz/mutate_pickle.h"
#include "fuzz/target.h"
#include "support/checkpoint_bytes.h"

#include <array>
#include <cstring>

using namespace tvw;

namespace {

constexpr size_t kObject = 3; ///< the pickle with the state dict
constexpr size_t kKeys = 4;

struct Parts {
    std::array<std::string, 5> pickles;
    std::string storages;

    std::string bytes() const {
        std::string bytes;
        for (const std::string &pickle : pickles)
            bytes += pickle;
        return bytes + storages;
    }
};

Parts split(const std::string &file) {
    Parts parts;
    std::string_view rest = file;
    for (std::string &pickle : parts.pickles) {
        pickle = rest.substr(0, fuzz::pickle_size(rest));
        rest.remove_prefix(pickle.size());
    }
    parts.storages = rest;
    return parts;
}

std::string count(uint64_t number) {
    return {reinterpret_cast<const char *>(&number), sizeof number};
}

/// Keys and storages as the object's pickle wants them.
void repair(Parts &parts) {
    std::string keys = "](";
    std::string storages;
    for (const fuzz::NamedStorage &storage : fuzz::storages_of(parts.pickles[kObject])) {
        keys += test::op::text(storage.key);
        storages += count(storage.numel) + storage.bytes;
    }
    parts.pickles[kKeys] = test::pickle(keys + "e");
    parts.storages = storages;
}

void change_storages(std::string &storages, fuzz::Random &random) {
    const std::string number = count(random.number());
    if (random.one_in(2) && storages.size() >= number.size())
        storages.replace(random.below(storages.size() / 8) * 8, number.size(), number);
    else if (random.one_in(2))
        storages.resize(random.below(storages.size() + 16));
    else
        fuzz::mutate_bytes(storages);
}

std::string mutate(const std::string &file, fuzz::Random &random) {
    // Most of what libFuzzer collects breaks at some place, and what comes after it is not seen.
    Parts parts = split(random.one_in(4) ? test::LegacyFile().bytes() : file);
    if (random.one_in(32))
        parts.pickles[kKeys] = parts.pickles[random.below(parts.pickles.size())];
    else if (random.one_in(6))
        change_storages(parts.storages, random);
    else if (random.one_in(3))
        for (std::string &pickle : parts.pickles)
            pickle = random.one_in(5) ? fuzz::mutate_pickle(pickle, random) : pickle;
    else {
        parts.pickles[kObject] = fuzz::mutate_pickle(parts.pickles[kObject], random);
        if (!random.one_in(4))
            repair(parts);
    }
    return parts.bytes();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz::check_checkpoint(data, size);
    return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                                          unsigned seed) {
    return fuzz::mutate_input(data, size, max_size, seed, mutate);
}
