// SPDX-License-Identifier: LGPL-2.1-or-later
// The built-in checkpoints of all builders, read from the embedded data on first use.
#pragma once

#include <tvw/weights.h>

#include <map>
#include <string>
#include <string_view>

namespace tvw {

struct RegisteredBuilder {
    std::string module;
    WeightsEnum weights;
};

class Registry {
public:
    /// Read once per process; any thread may ask. Error(kInternal) if the embedded data is broken.
    static const Registry &get();

    Registry(const Registry &) = delete;
    Registry &operator=(const Registry &) = delete;

    /// By name, sorted.
    const std::map<std::string, RegisteredBuilder, std::less<>> &builders() const {
        return builders_;
    }
    /// nullptr where there is none; exact names.
    const RegisteredBuilder *find_builder(std::string_view name) const;
    const WeightsEnum *find_enum(std::string_view name) const;

private:
    Registry();
    void add_file(std::string_view path, std::string_view content);

    std::map<std::string, RegisteredBuilder, std::less<>> builders_;
    std::map<std::string, const WeightsEnum *, std::less<>> enums_;
    std::map<std::string, Labels, std::less<>> labels_;
};

} // namespace tvw
