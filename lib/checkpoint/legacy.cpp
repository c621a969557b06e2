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
#include <string>
#include <utility>
#include <vector>

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

/// The storages behind the pickles, each a number of elements and then those. The numbers are
/// compared when the elements are read, since reading all of them beforehand makes a disk jump.
class Storages {
public:
    Storages(const Source &source, const Pickle &pickle, const Pickle &keys, uint64_t position);

    std::shared_ptr<Storage> read(size_t index);
    /// Compares the numbers of those that were not read.
    void check_rest();

private:
    struct Place {
        uint64_t at = 0; ///< of the number; never 0 in a file
        bool checked = false;
    };
    void check(size_t index);

    const Source &source_;
    const Pickle &pickle_;
    std::vector<Place> places_; ///< by index in Pickle::storages
};

Storages::Storages(const Source &source, const Pickle &pickle, const Pickle &keys,
                   uint64_t position)
    : source_(source), pickle_(pickle), places_(pickle.storages.size()) {
    std::map<std::string_view, size_t> index;
    for (size_t i = 0; i < pickle.storages.size(); ++i)
        index.emplace(pickle.storages[i].key, i);
    if (keys.top.type != PickleType::kList)
        source.corrupt(keys.top.at, "the storages' keys are not a list");
    for (const PickleValue &key : keys.items(keys.top)) {
        if (key.type != PickleType::kString)
            source.corrupt(key.at, "a storage's key is not a string");
        const std::string &name = keys.string(key);
        const auto known = index.find(name);
        if (known == index.end() || places_[known->second].at != 0) {
            source.corrupt(key.at, fmt::format("storage {} {}", in_quotes(name),
                                               known == index.end() ? "belongs to no tensor"
                                                                    : "is there twice"));
        }
        if (source.size() - position < sizeof(uint64_t)) {
            source.corrupt(position, "the file ends before storage " + in_quotes(name) +
                                         "; is the download complete?");
        }
        places_[known->second].at = position;
        position += sizeof(uint64_t);
        const uint64_t bytes = pickle.storages[known->second].bytes;
        if (bytes > source.size() - position) {
            source.corrupt(position, fmt::format("storage {} of {} bytes reaches past the end of "
                                                 "the file; is the download complete?",
                                                 in_quotes(name), bytes));
        }
        position += bytes;
    }
    for (size_t i = 0; i < places_.size(); ++i) {
        if (places_[i].at == 0) {
            source.corrupt(pickle.storages[i].at,
                           "storage " + in_quotes(pickle.storages[i].key) + " is not in the file");
        }
    }
    if (position != source.size())
        source.corrupt(position, "the file goes on after its last storage");
}

void Storages::check(size_t index) {
    const PickledStorage &storage = pickle_.storages[index];
    Place &place = places_[index];
    const auto numel = source_.number<uint64_t>(place.at);
    if (numel != storage.numel) {
        source_.corrupt(place.at, fmt::format("storage {} has {} elements, expected {}",
                                              in_quotes(storage.key), numel, storage.numel));
    }
    place.checked = true;
}

std::shared_ptr<Storage> Storages::read(size_t index) {
    check(index);
    auto storage = std::make_shared<Storage>(pickle_.storages[index].bytes);
    source_.read(places_[index].at + sizeof(uint64_t), {storage->data(), storage->size()});
    return storage;
}

void Storages::check_rest() {
    for (size_t i = 0; i < places_.size(); ++i) {
        if (!places_[i].checked)
            check(i);
    }
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
    Storages storages(source, pickle, keys, position);
    Checkpoint checkpoint =
        assemble(source, pickle, options, [&](size_t index) { return storages.read(index); });
    storages.check_rest();
    return checkpoint;
}

} // namespace tvw
