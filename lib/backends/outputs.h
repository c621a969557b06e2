// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/tensor.h>

#include <string>

namespace tvw {

/// Where an output of this name and type is to be written, in C order: over the tensor of an
/// earlier run, if it fits and its receiver let go of it, so that nothing is allocated.
inline std::byte *claim_output(NamedTensor &output, const std::string &name, DType dtype,
                               const Shape &shape) {
    const HostTensor &there = output.tensor;
    const bool free = there.has_data() && there.storage().use_count() == 1 &&
                      there.dtype() == dtype && there.shape() == shape && there.is_contiguous();
    if (!free)
        output.tensor = HostTensor::zeros(dtype, shape);
    if (output.name != name)
        output.name = name;
    return output.tensor.storage()->data() + size_t(output.tensor.offset()) * item_size(dtype);
}

} // namespace tvw
