// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>
#include <tvw/tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tvw {

/// What a state dict may hold under one key: a tensor; the weight of a packed quantized layer with
/// its bias (one tensor where the bias is None); or the dtype that such a layer was packed for.
/// A key whose value is None has no entry. Anything else, a number or text say, is an error.
using StateValue = std::variant<HostTensor, std::vector<HostTensor>, DType>;

/// A checkpoint's entries in file order. Keys are unique UTF-8.
class TVW_API StateDict {
public:
    using Entry = std::pair<std::string, StateValue>;

    /// Error(kInvalidArgument) if the key is there already.
    void add(std::string key, StateValue value);
    /// nullptr where there is none.
    const StateValue *find(std::string_view key) const;

    const std::vector<Entry> &entries() const { return entries_; }
    size_t size() const { return entries_.size(); }

    /// The same entries without `prefix`; keys that do not start with it are an
    /// Error(kMismatch) that names the first of them.
    StateDict without_prefix(std::string_view prefix) const;

private:
    std::vector<Entry> entries_;
    std::map<std::string, size_t, std::less<>> index_;
};

/// The file formats that `load_checkpoint` reads.
enum class Container { kZip, kLegacy, kSafetensors };
/// "zip", "legacy", "safetensors".
TVW_API std::string_view container_name(Container container);

/// Upper bounds that a file must keep, so that a short one cannot ask for much work or memory. In
/// brackets what published checkpoints of torchvision need at most; training scripts that keep an
/// optimizer's state need up to three times as much. Each can be raised or lowered: a file above
/// one is an Error(kNotSupported) that names the limit.
struct CheckpointLimits {
    uint64_t file_bytes = uint64_t{16} << 30;      ///< largest file read (2.6 GB)
    uint64_t tensor_bytes = uint64_t{16} << 30;    ///< all storages, and all tensors unpacked
    uint64_t repeated_bytes = uint64_t{256} << 20; ///< tensors that repeat elements (0)
    uint64_t unpack_ratio = 32;                    ///< a deflated wrapper to its contents (1.1)
    uint64_t pickle_bytes = uint64_t{64} << 20;    ///< one pickle, header, zip directory (250 KB)
    uint64_t zip_entries = 100'000;                ///< entries in the archive (1,600)
    uint64_t items = 1'000'000;   ///< pickle objects, and as many memo slots (40,000)
    uint64_t stack = 100'000;     ///< pickle stack and marks (2,000)
    uint64_t depth = 64;          ///< nesting of containers in the pickle (4)
    uint64_t string_bytes = 4096; ///< one key or name (95)
    uint64_t tensors = 100'000;   ///< tensors in the state dict (1,571)
};

/// How to read a checkpoint.
struct CheckpointOptions {
    CheckpointLimits limits = {};
    bool digest = true; ///< take the SHA-256 of the open file
    /// Where a training script saved the state dict among other things, the key it stands under.
    /// Empty: the file itself, or the one of "state_dict", "model_state_dict", "model_ema" and
    /// "model" that holds one.
    std::string state_dict_key = {};
};

/// A checkpoint as read: all of it, or an error.
struct Checkpoint {
    std::filesystem::path path;
    Container container = Container::kZip;
    std::string digest; ///< SHA-256 of the file, 64 lower-case hex digits; empty if not asked for
    std::string state_dict_key; ///< that the state dict stood under; empty at the top
    StateDict state_dict;
};

/// Reads a checkpoint written by `torch.save` (zip or legacy container) or a safetensors file.
/// Executes nothing and trusts nothing: see docs/checkpoints.md for the guarantees.
/// What stands beside the state dict is parsed, but its tensors are not read.
/// Errors: kNotFound, kIo, kCorruptFile (with the byte offset), kNotSupported, and kMismatch where
/// state_dict_key is wrong or has to choose.
TVW_API Checkpoint load_checkpoint(const std::filesystem::path &path,
                                   const CheckpointOptions &options = {});

/// Writes contiguous copies of the tensors; replaces `path` atomically.
/// Errors: kIo, kNotSupported for dtypes the format does not know (quantized).
TVW_API void save_safetensors(const std::filesystem::path &path,
                              const std::vector<NamedTensor> &tensors);

} // namespace tvw
