// SPDX-License-Identifier: LGPL-2.1-or-later
// Keyword arguments of builders, from JSON and from the command line.
#include "base/python_text.h"
#include "base/text.h"
#include "weights/entry.h"

#include <tvw/error.h>

#include <algorithm>
#include <limits>
#include <type_traits>

namespace tvw {
namespace {

std::optional<int64_t> any_integer(const Json &value) {
    return as_integer(value, std::numeric_limits<int64_t>::min(),
                      std::numeric_limits<int64_t>::max());
}

template<typename T>
std::optional<ArgumentValue> list_of(const Json &list, std::optional<T> (*convert)(const Json &)) {
    std::vector<T> result;
    for (const Json &item : list) {
        const auto value = convert(item);
        if (!value)
            return std::nullopt;
        result.push_back(*value);
    }
    return result;
}

/// Inside arrays, true and false are 1 and 0, as in Python.
std::optional<int64_t> integer_or_flag(const Json &value) {
    return value.is_boolean() ? std::optional<int64_t>(value.get<bool>()) : any_integer(value);
}

bool is_identifier(std::string_view name) {
    const auto letter = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    };
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    return !name.empty() && !digit(name[0]) &&
           std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || digit(c); });
}

/// What str() makes of it in Python.
std::string text_of(const ArgumentValue &value) {
    const auto write = [](const auto &known) -> std::string {
        if constexpr (std::is_same_v<decltype(known), const std::monostate &>)
            return "None";
        else if constexpr (std::is_same_v<decltype(known), const std::string &>)
            return known;
        else
            return python_repr(known);
    };
    return std::visit(write, value);
}

/// torchvision's _ovewrite_named_param.
void require(Arguments &arguments, const std::string &name, const ArgumentValue &value) {
    const auto [given, absent] = arguments.emplace(name, value);
    if (!absent && given->second != value)
        throw Error(ErrorKind::kInvalidArgument,
                    unexpected_value(name, text_of(value), text_of(given->second)));
}

} // namespace

Arguments builder_arguments(const Weights &weights, const Arguments &given) {
    Arguments arguments = given;
    for (const auto &[name, value] : weights.arguments())
        require(arguments, name, value);
    if (weights.meta().categories)
        require(arguments, "num_classes", int64_t(weights.meta().categories->size()));
    if (weights.meta().backend)
        require(arguments, "backend", *weights.meta().backend);
    arguments.insert(weights.default_arguments().begin(), weights.default_arguments().end());
    return arguments;
}

std::optional<ArgumentValue> argument_value(const Json &value) {
    if (value.is_null())
        return std::monostate{};
    if (value.is_boolean())
        return value.get<bool>();
    if (const auto integer = any_integer(value))
        return *integer;
    if (value.is_number_float())
        return value.get<double>();
    if (const auto text = as_text(value))
        return *text;
    if (!value.is_array())
        return std::nullopt;
    const auto integers = list_of<int64_t>(value, integer_or_flag);
    return integers ? integers : list_of<double>(value, as_number);
}

std::pair<std::string, ArgumentValue> parse_argument(std::string_view text) {
    const size_t equals = text.find('=');
    const std::string name(text.substr(0, equals));
    if (equals == std::string_view::npos || !is_identifier(name))
        throw Error(ErrorKind::kInvalidArgument,
                    in_quotes(text) + " is not an argument: write name=value");
    const std::string written(text.substr(equals + 1));
    Json json;
    try {
        json = parse_json(written, name);
    } catch (const Error &) {
        return {name, written};
    }
    const auto value = argument_value(json);
    if (!value)
        throw Error(ErrorKind::kInvalidArgument,
                    in_quotes(text) +
                        ": builders take numbers, texts, true, false, null and arrays "
                        "of numbers or flags");
    return {name, *value};
}

} // namespace tvw
