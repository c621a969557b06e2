// SPDX-License-Identifier: LGPL-2.1-or-later
// What a family's source offers for each of its variants.
#pragma once

#include "nn/arguments.h"
#include "nn/layers.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tvw::nn {

/// The shape under a key of the checkpoint (after `rename_key`); empty where there is none.
using ShapeOf = std::function<Shape(std::string_view key)>;

/// What a family does differently from the rest; null keeps the usual.
struct Hooks {
    /// A checkpoint's key under the name this builder gives it.
    std::string (*rename_key)(std::string_view key) = nullptr;
    /// Adds arguments that a checkpoint's shapes ask for and the caller did not give.
    void (*adapt)(Arguments &arguments, const ShapeOf &shape_of) = nullptr;
    /// What torchvision's builder leaves out of the network once it has loaded the weights that it
    /// was called with; `given` are the caller's own arguments.
    void (*reduce)(Arguments &arguments, const Arguments &given) = nullptr;
    /// The side of the square input that these arguments are for; usually 224, and any will do.
    int64_t (*image_size)(const Arguments &arguments) = nullptr;
};

struct Builder {
    std::string name; ///< torchvision's: "resnet50"
    /// Builds the network on `x` [N, 3, H, W] and answers its output, reading every argument.
    std::function<Value(const Scope &, Value x, ArgumentReader &)> build;
    Hooks hooks;

    /// An input [1, 3, H, W] that the network takes with these arguments.
    Shape usual_input(const Arguments &arguments) const {
        const int64_t side = hooks.image_size != nullptr ? hooks.image_size(arguments) : 224;
        return {1, 3, side, side};
    }
};

using Family = std::vector<Builder>;

/// A builder for each row of a family's table of variants, which outlives the result.
template<typename Variant, size_t N>
Family make_family(const Variant (&variants)[N],
                   Value (*build)(const Scope &, Value, ArgumentReader &, const Variant &),
                   const Hooks &hooks = {}) {
    Family family;
    for (const Variant &variant : variants)
        family.push_back({variant.name,
                          [build, &variant](const Scope &s, Value x, ArgumentReader &arguments) {
                              return build(s, x, arguments, variant);
                          },
                          hooks});
    return family;
}

/// What torchvision.models.quantization does with a family.
struct Quantizable {
    std::string backend = "fbgemm"; ///< engine, unless the argument `backend` says otherwise
    bool aware = false;             ///< checkpoints are those of quantization-aware training
    void (*reduce)(Arguments &arguments, const Arguments &given) = nullptr; ///< instead of Hooks'
};

/// The family and, for each of `names`, "quantized_" and that name: the same network with the
/// further arguments `quantize` and `backend`.
Family with_quantized(Family family, std::span<const std::string_view> names,
                      const Quantizable &quantizable = {});

} // namespace tvw::nn
