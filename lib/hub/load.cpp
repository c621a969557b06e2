// SPDX-License-Identifier: LGPL-2.1-or-later
// Checkpoints as verified tensors.
#include "hub/digest.h"

#include <tvw/error.h>
#include <tvw/hub.h>

#include <utility>

namespace tvw {

Checkpoint load_verified(const Weights &weights, const std::filesystem::path &file) {
    Checkpoint checkpoint = load_checkpoint(file, {.state_dict_key = weights.state_dict_key()});
    if (const auto wrong = examine(weights, file, checkpoint.digest))
        refuse(weights, *wrong);
    return checkpoint;
}

Checkpoint get_checkpoint(const Weights &weights, const FetchOptions &options) {
    const std::filesystem::path file = checkpoint_path(weights);
    try {
        return load_verified(weights, file);
    } catch (const Error &error) {
        // A damaged file often breaks its format before its digest is known.
        const bool replaceable = error.kind() == ErrorKind::kNotFound ||
                                 error.kind() == ErrorKind::kMismatch ||
                                 error.kind() == ErrorKind::kCorruptFile;
        if (weights.checkpoint() || !replaceable)
            throw;
    }
    return load_verified(weights, fetch_checkpoint(weights, options));
}

StateDict Weights::get_state_dict(const Progress &progress) const {
    return std::move(get_checkpoint(*this, {.progress = progress}).state_dict);
}

} // namespace tvw
