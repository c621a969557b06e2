// SPDX-License-Identifier: LGPL-2.1-or-later
// Which builder a checkpoint belongs to, and what that must be given to load it.
#pragma once

#include <tvw/engine.h>

#include <memory>
#include <optional>
#include <string>

namespace tvw::cli {

/// A builder that has loaded a checkpoint strictly.
struct Fit {
    std::string builder;
    Arguments arguments; ///< with the num_classes of the checkpoint's last layer
    std::string strip_prefix;
    std::unique_ptr<Engine> engine;
};

/// `given` are arguments of the user; `like` adds what its own checkpoint needs, if it is the
/// builder's. Error(kMismatch) says what is missing, unexpected or wrongly shaped.
Fit fit_builder(const std::string &builder, const std::shared_ptr<const Checkpoint> &checkpoint,
                const Arguments &given, const std::optional<Weights> &like);

/// Tries all builders. Error(kMismatch) where none fits, with the nearest one's reason, and where
/// several do.
Fit fit_any_builder(const std::shared_ptr<const Checkpoint> &checkpoint, const Arguments &given,
                    const std::optional<Weights> &like);

} // namespace tvw::cli
