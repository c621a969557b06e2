// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fuzz/target.h"

#include "base/text.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace tvw::fuzz {
namespace {

constexpr auto kReaderKinds = {ErrorKind::kCorruptFile, ErrorKind::kNotSupported,
                               ErrorKind::kMismatch};

/// The tensors of one value; none of a dtype.
std::vector<HostTensor> tensors_of(const StateValue &value) {
    if (const auto *tensor = std::get_if<HostTensor>(&value))
        return {*tensor};
    const auto *pair = std::get_if<std::vector<HostTensor>>(&value);
    return pair != nullptr ? *pair : std::vector<HostTensor>{};
}

void check_tensor(const HostTensor &tensor) {
    require(tensor.has_data(), "every tensor has bytes");
    require(tensor.shape().size() == tensor.strides().size(), "as many strides as sizes");
    require(tensor.offset() >= 0, "an offset is not negative");
    uint64_t end = uint64_t(tensor.offset()) + (tensor.numel() > 0 ? 1 : 0);
    for (size_t i = 0; i < tensor.shape().size(); ++i) {
        require(tensor.shape()[i] >= 0 && tensor.strides()[i] >= 0, "nothing is negative");
        if (tensor.numel() > 0)
            end += uint64_t(tensor.shape()[i] - 1) * uint64_t(tensor.strides()[i]);
    }
    const size_t item = item_size(tensor.dtype());
    require(end * item <= tensor.storage()->size(), "a tensor lies inside its storage");
    if (const auto &quantization = tensor.quantization()) {
        const size_t channels =
            quantization->per_channel ? size_t(tensor.shape().at(size_t(quantization->axis))) : 1;
        require(quantization->scales.size() == channels &&
                    quantization->zero_points.size() == channels,
                "one scale and zero point per channel");
    }
    // The sanitizers watch these.
    const HostTensor real = tensor.to_float32();
    const HostTensor packed = tensor.contiguous();
    const std::byte *bytes = packed.storage()->data() + size_t(packed.offset()) * item;
    volatile uint8_t seen = 0;
    for (size_t i = 0; i < size_t(packed.numel()) * item; ++i)
        seen = uint8_t(seen ^ uint8_t(bytes[i]));
    require(real.numel() == tensor.numel(), "as many elements as float32");
}

void check_same_tensor(const HostTensor &a, const HostTensor &b) {
    require(a.dtype() == b.dtype() && a.shape() == b.shape() && a.strides() == b.strides() &&
                a.offset() == b.offset(),
            "the same tensor twice");
    require(a.storage()->size() == b.storage()->size() &&
                std::memcmp(a.storage()->data(), b.storage()->data(), a.storage()->size()) == 0,
            "the same bytes twice");
    const auto &p = a.quantization();
    const auto &q = b.quantization();
    require((p == nullptr) == (q == nullptr), "quantized twice");
    require(p == nullptr || (p->per_channel == q->per_channel && p->axis == q->axis &&
                             p->scales == q->scales && p->zero_points == q->zero_points),
            "the same quantization twice");
}

/// What else can be made of a checkpoint works for every one.
void check_uses(const Checkpoint &checkpoint) {
    require(!container_name(checkpoint.container).empty(), "the container has a name");
    const StateDict &state_dict = checkpoint.state_dict;
    const auto shorter = outcome_of({ErrorKind::kMismatch, ErrorKind::kInvalidArgument},
                                    [&] { return state_dict.without_prefix("module."); });
    require(!shorter.result || shorter.result->size() == state_dict.size(),
            "without a prefix there are as many entries");
}

} // namespace

void require(bool condition, const std::string &promise) {
    if (condition)
        return;
    std::fprintf(stderr, "broken promise: %s\n", promise.c_str());
    std::abort();
}

MemoryFile::MemoryFile()
    : descriptor_(memfd_create("input", MFD_CLOEXEC)),
      path_("/proc/self/fd/" + std::to_string(descriptor_)) {
    require(descriptor_ >= 0, "a file in memory can be made");
}

MemoryFile::~MemoryFile() {
    close(descriptor_);
}

void MemoryFile::set(const uint8_t *data, size_t size, size_t least) {
    const bool written = ftruncate(descriptor_, 0) == 0 &&
                         pwrite(descriptor_, data, size, 0) == ssize_t(size) &&
                         ftruncate(descriptor_, off_t(std::max(size, least))) == 0;
    require(written, "a file in memory can be written");
}

void check_error(const Error &error, std::initializer_list<ErrorKind> kinds) {
    const std::string message = error.what();
    constexpr size_t kTwoLines = 600;
    const auto told = [&](bool condition, const char *promise) {
        require(condition, std::string(promise) + ", unlike: " + message);
    };
    told(std::find(kinds.begin(), kinds.end(), error.kind()) != kinds.end(),
         "an error is of an expected kind");
    told(!message.empty() && message.size() <= kTwoLines, "a message is short");
    told(std::count(message.begin(), message.end(), '\n') <= 1, "a message has two lines at most");
    std::string line = message;
    std::replace(line.begin(), line.end(), '\n', ' ');
    told(is_printable(line), "a message is printable");
}

void check_same_error(const Error &a, const Error &b) {
    require(a.kind() == b.kind() && a.offset() == b.offset() &&
                std::string(a.what()) == std::string(b.what()),
            "the same error twice");
}

void check_tensors(const StateDict &state_dict) {
    for (const auto &[key, value] : state_dict.entries()) {
        require(is_utf8(key), "a key is UTF-8");
        require(state_dict.find(key) == &value, "a key is unique");
        for (const HostTensor &tensor : tensors_of(value))
            check_tensor(tensor);
    }
}

void check_same_state_dict(const StateDict &a, const StateDict &b) {
    require(a.size() == b.size(), "as many entries twice");
    std::map<const Storage *, const Storage *> partners;
    for (size_t i = 0; i < a.size(); ++i) {
        const auto &[key, value] = a.entries()[i];
        const auto &[other_key, other] = b.entries()[i];
        require(key == other_key && value.index() == other.index(), "the same entry twice");
        const auto *dtype = std::get_if<DType>(&value);
        require(dtype == nullptr || *dtype == std::get<DType>(other), "the same dtype twice");
        const auto mine = tensors_of(value);
        const auto others = tensors_of(other);
        require(mine.size() == others.size(), "as many tensors twice");
        for (size_t j = 0; j < mine.size(); ++j) {
            check_same_tensor(mine[j], others[j]);
            const auto partner =
                partners.emplace(mine[j].storage().get(), others[j].storage().get()).first;
            require(partner->second == others[j].storage().get(), "the same sharing twice");
        }
    }
}

void check_same_checkpoint(const Checkpoint &a, const Checkpoint &b) {
    require(a.container == b.container && a.digest == b.digest &&
                a.state_dict_key == b.state_dict_key,
            "the same checkpoint twice");
    check_same_state_dict(a.state_dict, b.state_dict);
}

CheckpointLimits usual_limits() {
    CheckpointLimits limits;
    limits.repeated_bytes = 1 << 20;
    limits.tensor_bytes = 8 << 20;
    return limits;
}

CheckpointLimits narrow_limits(size_t choice) {
    CheckpointLimits limits = usual_limits();
    const std::pair<uint64_t *, uint64_t> lower[] = {
        {&limits.file_bytes, 900},   {&limits.tensor_bytes, 40}, {&limits.repeated_bytes, 40},
        {&limits.pickle_bytes, 300}, {&limits.zip_entries, 5},   {&limits.items, 30},
        {&limits.stack, 5},          {&limits.depth, 2},         {&limits.string_bytes, 12},
        {&limits.tensors, 1}};
    const auto &[limit, value] = lower[choice % std::size(lower)];
    *limit = value;
    return limits;
}

void check_saving(const StateDict &state_dict) {
    // In memory, where nothing has to reach a disk.
    static const std::filesystem::path kFile =
        "/dev/shm/tvw-fuzz-" + std::to_string(getpid()) + ".safetensors";
    std::vector<NamedTensor> tensors;
    bool quantized = false;
    for (const auto &[key, value] : state_dict.entries()) {
        for (const HostTensor &tensor : tensors_of(value)) {
            tensors.push_back({key, tensor});
            quantized = quantized || tensor.quantization();
        }
    }
    // Names may be empty or twice here (pairs), and the format knows no quantized tensors.
    const auto saved = outcome_of({ErrorKind::kNotSupported, ErrorKind::kInvalidArgument}, [&] {
        save_safetensors(kFile, tensors);
        return load_checkpoint(kFile).state_dict;
    });
    std::filesystem::remove(kFile);
    if (!saved.result)
        return;
    require(!quantized && saved.result->size() <= tensors.size(), "what is written is read");
    check_tensors(*saved.result);
}

std::optional<StateDict> check_checkpoint(const uint8_t *data, size_t size) {
    static MemoryFile file;
    file.set(data, size);
    CheckpointOptions options;
    options.limits = usual_limits();
    options.digest = size % 2 == 0; // both ways are seen often enough
    const auto load = [&] { return load_checkpoint(file.path(), options); };
    const auto usual = outcome_of_two(kReaderKinds, load, check_same_checkpoint);
    require(!usual.error || usual.error->offset(), "an error says where");
    if (usual.result) {
        check_tensors(usual.result->state_dict);
        check_uses(*usual.result);
    }
    // Narrower limits refuse; they never change what is read.
    options.limits = narrow_limits(size);
    const auto narrow = outcome_of(kReaderKinds, load);
    if (narrow.result) {
        require(usual.result.has_value(), "what fits narrow limits fits wide ones");
        check_same_checkpoint(*narrow.result, *usual.result);
    }
    options.limits = usual_limits();
    options.state_dict_key = "model";
    const auto chosen = outcome_of(kReaderKinds, load);
    if (chosen.result)
        check_tensors(chosen.result->state_dict);
    return usual.result ? std::optional(usual.result->state_dict) : std::nullopt;
}

} // namespace tvw::fuzz
