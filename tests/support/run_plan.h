// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "backends/backend.h"

#include <vector>

namespace tvw::test {

/// The outputs in order, in new tensors.
inline std::vector<HostTensor> run(Plan &plan, const std::vector<HostTensor> &inputs) {
    std::vector<const HostTensor *> given;
    for (const HostTensor &input : inputs)
        given.push_back(&input);
    std::vector<NamedTensor> named;
    plan.run(given, named);
    std::vector<HostTensor> outputs;
    for (const NamedTensor &output : named)
        outputs.push_back(output.tensor);
    return outputs;
}

} // namespace tvw::test
