// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cuda/library.h"

namespace tvw::cuda {

/// For the current GPU. Errors as Session::make_preprocessor, and LibTorch's.
std::unique_ptr<FramePreprocessor> make_frame_preprocessor(const Transforms &preset);

} // namespace tvw::cuda
