// SPDX-License-Identifier: LGPL-2.1-or-later
#include "nn/arguments.h"

#include "base/nearest.h"
#include "base/python_text.h"

#include <tvw/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace tvw::nn {

const ArgumentValue *ArgumentReader::find(std::string_view name) {
    known_.emplace(name);
    const auto found = arguments_->find(name);
    return found == arguments_->end() ? nullptr : &found->second;
}

void ArgumentReader::refuse(std::string_view name, std::string_view expected) const {
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: argument '{}' must be {}", builder_, name, expected));
}

int64_t ArgumentReader::integer(std::string_view name, int64_t usual) {
    const ArgumentValue *value = find(name);
    if (value == nullptr)
        return usual;
    // Sizes multiply later on; no layer of a real network comes near this.
    constexpr int64_t kMost = 1 << 20;
    const auto *integer = std::get_if<int64_t>(value);
    if (integer == nullptr || *integer < 0 || *integer > kMost)
        refuse(name, fmt::format("an integer from 0 to {}", kMost));
    return *integer;
}

int64_t ArgumentReader::fixed(std::string_view name, int64_t value) {
    const int64_t given = integer(name, value);
    if (given != value)
        throw Error(ErrorKind::kInvalidArgument,
                    unexpected_value(name, std::to_string(value), std::to_string(given)));
    return value;
}

double ArgumentReader::number(std::string_view name, double usual) {
    const ArgumentValue *value = find(name);
    if (value == nullptr)
        return usual;
    if (const auto *integer = std::get_if<int64_t>(value))
        return double(*integer);
    if (const auto *number = std::get_if<double>(value))
        return *number;
    refuse(name, "a number");
}

bool ArgumentReader::boolean(std::string_view name, bool usual) {
    const ArgumentValue *value = find(name);
    if (value == nullptr)
        return usual;
    if (const auto *flag = std::get_if<bool>(value))
        return *flag;
    refuse(name, "true or false");
}

std::string ArgumentReader::text(std::string_view name, std::string usual) {
    const ArgumentValue *value = find(name);
    if (value == nullptr)
        return usual;
    if (const auto *text = std::get_if<std::string>(value))
        return *text;
    refuse(name, "a text");
}

std::vector<int64_t> ArgumentReader::integers(std::string_view name, std::vector<int64_t> usual) {
    const ArgumentValue *value = find(name);
    if (value == nullptr)
        return usual;
    if (const auto *list = std::get_if<std::vector<int64_t>>(value))
        return *list;
    refuse(name, "a list of integers");
}

std::vector<bool> ArgumentReader::booleans(std::string_view name, std::vector<bool> usual) {
    const ArgumentValue *value = find(name);
    if (value == nullptr)
        return usual;
    const auto *list = std::get_if<std::vector<int64_t>>(value);
    const auto is_flag = [](int64_t item) { return item == 0 || item == 1; };
    if (list == nullptr || !std::all_of(list->begin(), list->end(), is_flag))
        refuse(name, "a list of true and false");
    return {list->begin(), list->end()};
}

void ArgumentReader::finish() const {
    for (const auto &[name, value] : *arguments_) {
        if (!known_.contains(name))
            throw Error(ErrorKind::kInvalidArgument,
                        fmt::format("{}() got an unexpected keyword argument '{}'{}", builder_,
                                    name,
                                    did_you_mean(name, std::vector(known_.begin(), known_.end()))));
    }
}

} // namespace tvw::nn
