// SPDX-License-Identifier: LGPL-2.1-or-later
// A builder's keyword arguments, read one by one as a Python signature would take them.
#pragma once

#include <tvw/weights.h>

#include <set>
#include <string>
#include <string_view>

namespace tvw::nn {

class ArgumentReader {
public:
    ArgumentReader(std::string builder, const Arguments &arguments)
        : builder_(std::move(builder)), arguments_(&arguments) {}

    const std::string &builder() const { return builder_; }

    /// The given value or the default. Error(kInvalidArgument) names the argument and what it
    /// takes.
    int64_t integer(std::string_view name, int64_t usual);
    /// The one value that the builder takes: another is an error, in torchvision's words.
    int64_t fixed(std::string_view name, int64_t value);
    double number(std::string_view name, double usual);
    bool boolean(std::string_view name, bool usual);
    std::string text(std::string_view name, std::string usual);
    std::vector<int64_t> integers(std::string_view name, std::vector<int64_t> usual);
    /// A list of true and false, which may be written 1 and 0.
    std::vector<bool> booleans(std::string_view name, std::vector<bool> usual);
    /// Accepted and of no effect in inference.
    void ignore(std::string_view name) { known_.emplace(name); }

    /// Error(kInvalidArgument) if an argument was given that nobody asked for.
    void finish() const;

private:
    const ArgumentValue *find(std::string_view name);
    [[noreturn]] void refuse(std::string_view name, std::string_view expected) const;

    std::string builder_;
    const Arguments *arguments_;
    std::set<std::string, std::less<>> known_;
};

} // namespace tvw::nn
