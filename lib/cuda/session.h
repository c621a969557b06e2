// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "cuda/library.h"

namespace tvw::cuda {

/// LibTorch's exception where the GPU cannot be used.
std::unique_ptr<Session> make_session(int index);

} // namespace tvw::cuda
