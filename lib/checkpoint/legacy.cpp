// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/legacy.h"

#include "base/text.h"
#include "checkpoint/assemble.h"
#include "checkpoint/pickle_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tvw {
namespace {

/// The pickle of 0x1950a86a20f9469cfc6c, an integer too long for the machine.
constexpr uint8_t kMagic[] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                              0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
constexpr int64_t kProtocol = 1001;

/// Runs the pickle at `position` and moves that behind it.
Pickle next_pickle(const Source &source, uint64_t &position, const CheckpointLimits &limits) {
    const uint64_t left = source.size() - position;
    const bool limited = left > limits.pickle_bytes;
    ByteReader reader(source, position, position + std::min(left, limits.pickle_bytes),
                      limited ? "a pickle larger than the limit of " +
                                    std::to_string(limits.pickle_bytes) + " bytes"
                              : "the file ends in the middle of a pickle; is the download "
                                "complete?");
    Pickle pickle = PickleMachine(reader, source, limits).run();
    position = reader.position();
    return pickle;
}

void check_magic(const Source &source, uint64_t &position) {
    std::array<uint8_t, sizeof kMagic> magic{};
    source.read(0, std::as_writable_bytes(std::span(magic)));
    if (!std::equal(magic.begin(), magic.end(), kMagic))
        source.corrupt(0, "a pickle, but not one that torch.save begins with");
    position = magic.size();
}

void check_protocol(const Source &source, const Pickle &protocol) {
    if (protocol.top.type != PickleType::kInt || protocol.top.payload != kProtocol)
        source.unsupported(protocol.top.at, fmt::format("not torch.save's protocol {}", kProtocol));
}

/// The machine that wrote the file: {"little_endian": True, …}.
void check_system(const Source &source, const Pickle &system) {
    if (system.top.type == PickleType::kDict) {
        const auto &items = system.items(system.top);
        for (size_t i = 0; i < items.size(); i += 2) {
            if (items[i].type != PickleType::kString || system.string(items[i]) != "little_endian")
                continue;
            if (items[i + 1].type == PickleType::kBool && items[i + 1].payload == 1)
                return;
            source.unsupported(items[i].at, "not little-endian; only such files are read");
        }
    }
    source.corrupt(system.top.at, "the file does not say which byte order it has");
}

/// Walks over the storages behind the pickles and answers where each one's elements are.
std::vector<uint64_t> find_storages(const Source &source, const Pickle &pickle, const Pickle &keys,
                                    uint64_t position) {
    std::map<std::string_view, size_t> index;
    for (size_t i = 0; i < pickle.storages.size(); ++i)
        index.emplace(pickle.storages[i].key, i);
    if (keys.top.type != PickleType::kList)
        source.corrupt(keys.top.at, "the storages' keys are not a list");
    std::vector<std::optional<uint64_t>> offsets(pickle.storages.size());
    for (const PickleValue &key : keys.items(keys.top)) {
        if (key.type != PickleType::kString)
            source.corrupt(key.at, "a storage's key is not a string");
        const std::string &name = keys.string(key);
        const auto known = index.find(name);
        if (known == index.end() || offsets[known->second]) {
            source.corrupt(key.at, fmt::format("storage {} {}", in_quotes(name),
                                               known == index.end() ? "belongs to no tensor"
                                                                    : "is there twice"));
        }
        const PickledStorage &storage = pickle.storages[known->second];
        if (source.size() - position < sizeof(uint64_t)) {
            source.corrupt(position, "the file ends before storage " + in_quotes(name) +
                                         "; is the download complete?");
        }
        const auto numel = source.number<uint64_t>(position);
        if (numel != storage.numel) {
            source.corrupt(position, fmt::format("storage {} has {} elements, expected {}",
                                                 in_quotes(name), numel, storage.numel));
        }
        position += sizeof numel;
        if (storage.bytes > source.size() - position) {
            source.corrupt(position, fmt::format("storage {} of {} bytes reaches past the end of "
                                                 "the file; is the download complete?",
                                                 in_quotes(name), storage.bytes));
        }
        offsets[known->second] = position;
        position += storage.bytes;
    }
    std::vector<uint64_t> result;
    for (size_t i = 0; i < offsets.size(); ++i) {
        if (!offsets[i]) {
            source.corrupt(pickle.storages[i].at,
                           "storage " + in_quotes(pickle.storages[i].key) + " is not in the file");
        }
        result.push_back(*offsets[i]);
    }
    if (position != source.size())
        source.corrupt(position, "the file goes on after its last storage");
    return result;
}

} // namespace

Checkpoint read_legacy(const Source &source, const CheckpointOptions &options) {
    const CheckpointLimits &limits = options.limits;
    uint64_t position = 0;
    check_magic(source, position);
    check_protocol(source, next_pickle(source, position, limits));
    check_system(source, next_pickle(source, position, limits));
    const Pickle pickle = next_pickle(source, position, limits);
    const Pickle keys = next_pickle(source, position, limits);
    const std::vector<uint64_t> offsets = find_storages(source, pickle, keys, position);
    return assemble(source, pickle, options, [&](size_t index) {
        auto storage = std::make_shared<Storage>(pickle.storages[index].bytes);
        source.read(offsets[index], {storage->data(), storage->size()});
        return storage;
    });
}

} // namespace tvw
