// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/checkpoint.h>
#include <tvw/weights.h>

#include <concepts>
#include <string>
#include <string_view>

namespace tvw {

/// A checkpoint that is known at compile time: what the classes of tvw/weights_enums.h have in
/// common. As small as its name, usable in constant expressions, and a Weights wherever one is
/// wanted. `Enum` is the class that derives from this.
template<typename Enum>
class TypedWeights {
public:
    constexpr explicit TypedWeights(const char *name) : name_(name) {}

    /// The enum as the registry knows it.
    static const WeightsEnum &definition() { return tvw::get_model_weights(Enum::kBuilder); }

    /// "ResNet50_Weights.IMAGENET1K_V2"; DEFAULT has the name of the member that it means.
    constexpr std::string_view name() const { return name_; }
    operator Weights() const { return get_weight(name_); } // NOLINT(google-explicit-constructor)

    const std::string &url() const { return get_weight(name_).url(); }
    const Meta &meta() const { return get_weight(name_).meta(); }
    const Transforms &transforms() const { return get_weight(name_).transforms(); }
    Transforms transforms(const TransformsOverride &parameters) const {
        return get_weight(name_).transforms(parameters);
    }
    StateDict get_state_dict(const Progress &progress = {}) const {
        return get_weight(name_).get_state_dict(progress);
    }

    friend constexpr bool operator==(const Enum &a, const Enum &b) { return a.name() == b.name(); }

private:
    std::string_view name_;
};

/// A class of tvw/weights_enums.h.
template<typename T>
concept TypedMember = std::derived_from<T, TypedWeights<T>>;

} // namespace tvw
