// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "engine/network.h"

#include <memory>

namespace tvw {

/// As Engine::frame_runner. On the CPU the model runs on `threads`.
std::unique_ptr<FrameRunner> make_frame_runner(std::shared_ptr<Network> network, int threads,
                                               const Transforms &preset, PreprocessMode mode);

} // namespace tvw
