// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>
#include <tvw/weights.h>

#include <filesystem>

/// PyTorch's checkpoint cache (torch.hub), shared with Python.
namespace tvw {

/// $TORCH_HOME, else $XDG_CACHE_HOME/torch, else ~/.cache/torch; then hub/checkpoints.
TVW_API std::filesystem::path checkpoint_dir();

/// The checkpoint's file on this machine: a descriptor's own, or the cached one.
/// Error(kNotFound) names the expected path, the URL, and what to do.
TVW_API std::filesystem::path find_checkpoint(const Weights &weights);

/// Error(kMismatch) with both values unless `digest` begins with what `weights` promises.
TVW_API void verify_digest(const Weights &weights, const std::filesystem::path &file,
                           std::string_view digest);

} // namespace tvw
