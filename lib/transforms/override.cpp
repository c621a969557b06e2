// SPDX-License-Identifier: LGPL-2.1-or-later
// A preset with some of its parameters replaced, as a call of its constructor in Python would.
#include <tvw/error.h>
#include <tvw/transforms.h>

namespace tvw {
namespace {

template<typename Given>
bool is_given(const Given &given) {
    if constexpr (requires { given.has_value(); })
        return given.has_value();
    else
        return !given.empty();
}

template<typename Field, typename Given>
void replace(Field &field, const Given &given) {
    if constexpr (requires { field = *given; })
        field = *given;
    else
        field = given;
}

[[noreturn]] void refuse(const Transforms &transforms, const char *parameter) {
    throw Error(ErrorKind::kInvalidArgument,
                std::string(preset_name(transforms)) + " has no parameter '" + parameter + "'");
}

// For each parameter by name: the preset's, where it has such a one.
#define TVW_REPLACE(name)                                                                          \
    if (is_given(given.name)) {                                                                    \
        if constexpr (requires { preset.name; })                                                   \
            replace(preset.name, given.name);                                                      \
        else                                                                                       \
            refuse(preset, #name);                                                                 \
    }

template<typename Preset>
void apply(Preset &preset, const TransformsOverride &given) {
    TVW_REPLACE(crop_size)
    TVW_REPLACE(resize_size)
    TVW_REPLACE(mean)
    TVW_REPLACE(std)
    TVW_REPLACE(interpolation)
    TVW_REPLACE(antialias)
}

#undef TVW_REPLACE

} // namespace

Transforms override_transforms(const Transforms &transforms, const TransformsOverride &parameters) {
    Transforms result = transforms;
    std::visit([&](auto &preset) { apply(preset, parameters); }, result);
    return result;
}

} // namespace tvw
