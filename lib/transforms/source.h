// SPDX-License-Identifier: LGPL-2.1-or-later
// From the description of a frame to what its pixels are computed from.
#pragma once

#include <tvw/export.h>
#include <tvw/frame.h>

#include "transforms/pixel.h"

#include <optional>

namespace tvw {

/// Where the components of a frame lie, and how they become RGB. The pixels themselves are not
/// touched: they may be in another device's memory.
/// Error(kInvalidArgument) for a frame that is empty, too large, or whose planes are too small.
TVW_API pixel::Source make_source(const FrameView &frame);

/// `region` or all of the frame. Error(kInvalidArgument) for a region that is not inside it.
TVW_API Region area_of(const FrameView &frame, const std::optional<Region> &region);

} // namespace tvw
