// SPDX-License-Identifier: LGPL-2.1-or-later
// The input is one pickle stream; its storages hold whatever fits.
#include "checkpoint/assemble.h"
#include "checkpoint/pickle_machine.h"
#include "fuzz/mutate_pickle.h"
#include "fuzz/target.h"

#include <cstring>
#include <memory>

using namespace tvw;

namespace {

constexpr auto kKinds = {ErrorKind::kCorruptFile, ErrorKind::kNotSupported, ErrorKind::kMismatch};

/// The tables refer to themselves only within their bounds and only backwards.
void check_pickle(const Pickle &pickle, const CheckpointLimits &limits) {
    const auto check_value = [&](const PickleValue &value) {
        const auto below = [&](size_t count) {
            fuzz::require(value.index() < count, "an index lies inside its table");
        };
        if (value.type == PickleType::kString)
            below(pickle.strings.size());
        else if (value.type == PickleType::kStorage)
            below(pickle.views.size());
        else if (value.type == PickleType::kTensor)
            below(pickle.tensors.size());
        else if (value.type == PickleType::kTuple || value.type == PickleType::kList ||
                 value.type == PickleType::kDict)
            below(pickle.containers.size());
    };
    check_value(pickle.top);
    fuzz::require(pickle.tensors.size() <= limits.tensors, "tensors keep their limit");
    for (const PickleContainer &container : pickle.containers) {
        fuzz::require(container.depth <= limits.depth, "nesting keeps its limit");
        for (const PickleValue &item : container.items) {
            check_value(item);
            const bool inner = item.type == PickleType::kTuple || item.type == PickleType::kList ||
                               item.type == PickleType::kDict;
            fuzz::require(!inner || pickle.containers[item.index()].depth < container.depth,
                          "a container is shallower than what holds it");
        }
    }
}

Checkpoint read(const Source &source, const CheckpointOptions &options) {
    ByteReader reader(source, 0, source.size(), "the pickle ends in the middle");
    const Pickle pickle = PickleMachine(reader, source, options.limits).run();
    check_pickle(pickle, options.limits);
    return assemble(source, pickle, options, [&](size_t index) {
        const PickledStorage &storage = pickle.storages[index];
        auto bytes = std::make_shared<Storage>(storage.bytes);
        // Ones are small numbers in every dtype; float32 has 1.4e-45, which is a scale too.
        std::memset(static_cast<void *>(bytes->data()), 0, bytes->size());
        for (size_t i = 0; i < bytes->size(); i += item_size(storage.dtype))
            bytes->data()[i] = std::byte{1};
        return bytes;
    });
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static fuzz::MemoryFile file;
    file.set(data, size);
    const InputFile input(file.path(), size);
    const Source source(input);
    CheckpointOptions options{.limits = fuzz::usual_limits()};
    const auto usual = fuzz::outcome_of_two(
        kKinds, [&] { return read(source, options); }, fuzz::check_same_checkpoint);
    fuzz::require(!usual.error || usual.error->offset(), "an error says where");
    if (usual.result)
        fuzz::check_tensors(usual.result->state_dict);
    options.limits = fuzz::narrow_limits(size);
    fuzz::outcome_of(kKinds, [&] { return read(source, options); });
    options = {.limits = fuzz::usual_limits(), .state_dict_key = "model"};
    fuzz::outcome_of(kKinds, [&] { return read(source, options); });
    return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
                                          unsigned seed) {
    return fuzz::mutate_input(data, size, max_size, seed, fuzz::mutate_pickle);
}
