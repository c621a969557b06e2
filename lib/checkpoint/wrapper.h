// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/pickle.h"
#include "checkpoint/source.h"

#include <string>
#include <string_view>

namespace tvw {

/// A dict in a pickle, and the key that it stands under.
struct FoundStateDict {
    PickleValue dict;
    std::string key; ///< empty at the top
};

/// The state dict in what a training script saved: what stands under `wanted` or, where that is
/// empty, under the one key that such scripts use; else the top itself, whatever it holds.
/// Errors: kNotSupported, and kMismatch where nothing or more than one thing can be meant.
FoundStateDict find_state_dict(const Source &source, const Pickle &pickle, std::string_view wanted);

} // namespace tvw
