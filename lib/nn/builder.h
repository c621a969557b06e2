// SPDX-License-Identifier: LGPL-2.1-or-later
// What a family's source offers for each of its variants.
#pragma once

#include "nn/arguments.h"
#include "nn/layers.h"

#include <functional>
#include <string>
#include <vector>

namespace tvw::nn {

struct Builder {
    std::string name; ///< torchvision's: "resnet50"
    /// Builds the network on `x` [N, 3, H, W] and answers its output, reading every argument.
    std::function<Value(const Scope &, Value x, ArgumentReader &)> build;
    /// Loading hook: a checkpoint's key under the name this builder gives it; null keeps it.
    std::string (*rename_key)(std::string_view key) = nullptr;
};

using Family = std::vector<Builder>;

/// A builder for each row of a family's table of variants, which outlives the result.
template<typename Variant, size_t N>
Family make_family(const Variant (&variants)[N],
                   Value (*build)(const Scope &, Value, ArgumentReader &, const Variant &)) {
    Family family;
    for (const Variant &variant : variants)
        family.push_back(
            {variant.name, [build, &variant](const Scope &s, Value x, ArgumentReader &arguments) {
                 return build(s, x, arguments, variant);
             }});
    return family;
}

} // namespace tvw::nn
