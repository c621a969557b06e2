// SPDX-License-Identifier: LGPL-2.1-or-later
// Finds out which container a file is and has it read.
#include <tvw/checkpoint.h>
#include <tvw/error.h>

#include "base/text.h"
#include "checkpoint/input_file.h"
#include "checkpoint/legacy.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/source.h"
#include "checkpoint/torch_zip.h"
#include "checkpoint/zip_content.h"

#include <algorithm>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace tvw {
namespace {

// As far as any container's signature reaches: that of tar stands at byte 257.
constexpr uint64_t kHeadSize = 262;

/// What is not a checkpoint but is found where one should be.
[[noreturn]] void refuse_stranger(const Source &source, std::string_view head) {
    constexpr std::string_view kSpace = " \t\r\n";
    const size_t text = std::min(head.find_first_not_of(kSpace), head.size());
    if (head.substr(text).starts_with('<')) {
        source.corrupt(0, "a web page, not a checkpoint: the server answered with an error or a "
                          "login page; download it again");
    }
    if (head.starts_with("version https://git-lfs"))
        source.corrupt(0, "a pointer of Git LFS, not the checkpoint; run: git lfs pull");
    if (head.size() == kHeadSize && head.ends_with("ustar")) {
        source.unsupported(0, "the tar container of PyTorch 0.1; load it in Python and save it "
                              "again with torch.save");
    }
    source.corrupt(0, "not a checkpoint: neither torch.save's zip or legacy container nor "
                      "safetensors");
}

std::string read_head(const Source &source) {
    std::string head(std::min(source.size(), kHeadSize), '\0');
    source.read(0, std::as_writable_bytes(std::span(head)));
    return head;
}

Checkpoint made_of(Container container, Checkpoint checkpoint) {
    checkpoint.container = container;
    return checkpoint;
}

/// A zip with one entry is a wrapper around a checkpoint, as torch.hub also accepts.
Checkpoint read_container(const Source &source, const CheckpointOptions &options,
                          bool inside_zip = false) {
    if (source.size() == 0)
        source.corrupt(0, "the file is empty");
    const std::string head = read_head(source);
    if (head.starts_with("PK\3\4") || head.starts_with("PK\5\6")) {
        ZipArchive archive(source, options.limits);
        if (archive.entries().size() != 1)
            return made_of(Container::kZip, read_torch_zip(source, archive, options));
        const ZipEntry &entry = archive.open(archive.entries().front());
        if (inside_zip)
            source.unsupported(entry.at, in_quotes(entry.name) + " in a zip in a zip in a zip");
        return read_container(unwrap(source, entry, options.limits), options, true);
    }
    // First, since its header's length may begin like a pickle.
    if (is_safetensors(source)) {
        if (!options.state_dict_key.empty()) {
            source.fail(ErrorKind::kMismatch, 0,
                        "safetensors, which holds one state dict and no keys around it; leave "
                        "state_dict_key out");
        }
        Checkpoint checkpoint;
        checkpoint.state_dict = read_safetensors(source, options.limits);
        return made_of(Container::kSafetensors, std::move(checkpoint));
    }
    if (head.starts_with('\x80'))
        return made_of(Container::kLegacy, read_legacy(source, options));
    refuse_stranger(source, head);
}

/// torch.optim.swa_utils.AveragedModel counts beside its "module." what it averaged: no part of the
/// network.
void drop_average_count(StateDict &state_dict) {
    constexpr std::string_view kCount = "n_averaged";
    const StateValue *count = state_dict.find(kCount);
    const auto *tensor = count != nullptr ? std::get_if<HostTensor>(count) : nullptr;
    if (tensor == nullptr || tensor->dtype() != DType::kInt64 || !tensor->shape().empty())
        return;
    StateDict network;
    for (const auto &[key, value] : state_dict.entries()) {
        if (key == kCount)
            continue;
        if (!key.starts_with("module."))
            return;
        network.add(key, value);
    }
    state_dict = std::move(network);
}

} // namespace

std::string_view container_name(Container container) {
    constexpr std::string_view kNames[] = {"zip", "legacy", "safetensors"};
    return kNames[size_t(container)];
}

Checkpoint load_checkpoint(const std::filesystem::path &path, const CheckpointOptions &options) {
    const InputFile file(path, options.limits.file_bytes);
    try {
        Checkpoint checkpoint = read_container(Source(file), options);
        checkpoint.path = path;
        drop_average_count(checkpoint.state_dict);
        if (options.digest)
            checkpoint.digest = file.digest();
        file.check_unchanged();
        return checkpoint;
    } catch (const std::bad_alloc &) {
        throw Error(ErrorKind::kIo, file.name() + " does not fit into memory");
    }
}

} // namespace tvw
