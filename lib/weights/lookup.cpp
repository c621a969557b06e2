// SPDX-License-Identifier: LGPL-2.1-or-later
// Questions to the registry, answered as torchvision answers them.
#include "base/nearest.h"
#include "base/text.h"
#include "weights/glob.h"
#include "weights/registry.h"

#include <tvw/error.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace tvw {
namespace {

constexpr const char *kDefault = "DEFAULT";
constexpr const char *kExtra = "extra";

std::string lower_case(std::string_view text) {
    std::string result(text);
    for (char &c : result)
        c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
    return result;
}

std::vector<std::string> builder_names() {
    std::vector<std::string> names;
    for (const auto &[name, builder] : Registry::get().builders())
        names.push_back(name);
    return names;
}

std::vector<std::string> enum_names() {
    std::vector<std::string> names;
    for (const auto &[name, builder] : Registry::get().builders())
        names.push_back(builder.weights.name());
    return names;
}

/// What may follow the dot.
std::vector<std::string> member_names(const WeightsEnum &weights) {
    std::vector<std::string> names;
    for (const Weights &member : weights.members())
        names.push_back(member.name().substr(weights.name().size() + 1));
    if (weights.default_member())
        names.emplace_back(kDefault);
    return names;
}

/// "ResNet50_Weights" of "ResNet50_Weights.DEFAULT"; a descriptor's own name.
std::string_view enum_of(const Weights &weights) {
    const std::string_view name = weights.name();
    return name.substr(0, name.find('.'));
}

Weights default_of(const WeightsEnum &weights) {
    if (!weights.default_member())
        throw Error(ErrorKind::kNotFound,
                    weights.builder() +
                        " has no checkpoint of its own: give the path of a descriptor (.json)");
    return *weights.default_member();
}

/// <folder>/<name>.json in the folders of TVW_WEIGHTS_PATH, in order; empty where there is none.
std::filesystem::path find_in_path(std::string_view name) {
    const char *variable = std::getenv("TVW_WEIGHTS_PATH");
    const bool plain = !name.empty() && name.find('/') == std::string_view::npos;
    std::string_view folders = variable != nullptr && plain ? variable : "";
    while (!folders.empty()) {
        const size_t end = std::min(folders.find(':'), folders.size());
        const std::filesystem::path folder(folders.substr(0, end));
        folders.remove_prefix(std::min(end + 1, folders.size()));
        auto file = folder / (std::string(name) + ".json");
        std::error_code ignored;
        if (!folder.empty() && std::filesystem::exists(file, ignored))
            return file;
    }
    return {};
}

[[noreturn]] void fail_to_find(std::string_view text) {
    std::vector<std::string> names = builder_names();
    for (const auto &[name, builder] : Registry::get().builders()) {
        for (const std::string &member : member_names(builder.weights))
            names.push_back(builder.weights.name() + "." + member);
    }
    throw Error(ErrorKind::kNotFound,
                in_quotes(text) + " names no weights" + did_you_mean(text, names) +
                    "\nGive Enum.MEMBER, a model's name, the path of a descriptor (.json), or the "
                    "name of one in a folder of TVW_WEIGHTS_PATH");
}

void check_module(std::string_view module) {
    std::set<std::string> names;
    for (const auto &[name, builder] : Registry::get().builders())
        names.insert(builder.module);
    if (names.count(std::string(module)) != 0)
        return;
    std::string known;
    for (const std::string &name : names)
        known += (known.empty() ? "" : ", ") + name;
    throw Error(ErrorKind::kInvalidArgument,
                "Unknown module " + in_quotes(module) + "; there are " + known);
}

bool matches_any(std::span<const std::string> patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [name](const std::string &pattern) { return glob_match(pattern, name); });
}

} // namespace

Weights WeightsEnum::operator[](std::string_view member) const {
    if (member == kDefault && default_)
        return *default_;
    const std::string wanted = name_ + "." + std::string(member);
    for (const Weights &candidate : members_) {
        if (candidate.name() == wanted)
            return candidate;
    }
    std::string known;
    for (const std::string &name : member_names(*this))
        known += (known.empty() ? "; it has " : ", ") + name;
    throw Error(ErrorKind::kNotFound, name_ + " has no member " + in_quotes(member) + known);
}

Weights WeightsEnum::verify(std::string_view text) const {
    // As str.replace() in Python: wherever the prefix stands, and however often.
    const std::string prefix = name_ + ".";
    std::string member(text);
    for (size_t at = 0; (at = member.find(prefix, at)) != std::string::npos;)
        member.erase(at, prefix.size());
    return (*this)[member];
}

Weights WeightsEnum::verify(const Weights &weights) const {
    if (weights.builder() != builder_)
        throw Error(ErrorKind::kInvalidArgument, "Invalid Weight class provided; expected " +
                                                     name_ + " but received " +
                                                     std::string(enum_of(weights)) + ".");
    return weights;
}

/// This enum, or that of the network it quantizes: `own` unless `quantize` was given.
const WeightsEnum &WeightsEnum::meant(bool own, const Arguments &given) const {
    if (!default_ || !default_->meta().unquantized)
        return *this;
    const auto quantize = given.find("quantize");
    const auto *flag = quantize == given.end() ? &own : std::get_if<bool>(&quantize->second);
    if (flag == nullptr || *flag)
        return *this; // the builder says what is wrong with another value
    const std::string_view before = *default_->meta().unquantized;
    return *Registry::get().find_enum(before.substr(0, before.find('.')));
}

Weights WeightsEnum::verify(std::string_view text, const Arguments &given) const {
    return meant(text.starts_with(name_ + "."), given).verify(text);
}

Weights WeightsEnum::verify(const Weights &weights, const Arguments &given) const {
    const bool own = weights.builder() == builder_;
    if (own && !weights.meta().backend) // a descriptor, whose arguments say what it is
        return weights;
    return meant(own, given).verify(weights);
}

Weights get_weight(std::string_view name) {
    const size_t dot = name.find('.');
    if (dot == std::string_view::npos || name.find('.', dot + 1) != std::string_view::npos)
        throw Error(ErrorKind::kInvalidArgument,
                    "Invalid weight name provided: " + in_quotes(name) + ".");
    const std::string_view enum_name = name.substr(0, dot);
    const WeightsEnum *weights = Registry::get().find_enum(enum_name);
    if (weights == nullptr)
        throw Error(ErrorKind::kNotFound, "The weight enum " + in_quotes(enum_name) +
                                              " for the specific method couldn't be retrieved." +
                                              did_you_mean(enum_name, enum_names()));
    return (*weights)[name.substr(dot + 1)];
}

const WeightsEnum &get_model_weights(std::string_view builder) {
    const std::string name = lower_case(builder);
    const RegisteredBuilder *found = Registry::get().find_builder(name);
    if (found == nullptr)
        throw Error(ErrorKind::kNotFound,
                    "Unknown model " + shown(name) + did_you_mean(name, builder_names()));
    return found->weights;
}

std::vector<std::string> list_models(std::optional<std::string_view> module,
                                     std::span<const std::string> include,
                                     std::span<const std::string> exclude) {
    if (module)
        check_module(*module);
    std::vector<std::string> names;
    for (const auto &[name, builder] : Registry::get().builders()) {
        const bool asked = module ? builder.module == *module : builder.module != kExtra;
        const bool included = include.empty() || matches_any(include, name);
        if (asked && included && !matches_any(exclude, name))
            names.push_back(name);
    }
    return names;
}

Weights find_weights(std::string_view text) {
    if (text.ends_with(".json"))
        return load_descriptor(std::filesystem::path(text));
    if (Registry::get().find_enum(text.substr(0, text.find('.'))) != nullptr)
        return get_weight(text);
    if (const auto *builder = Registry::get().find_builder(lower_case(text)))
        return default_of(builder->weights);
    const auto file = find_in_path(text);
    if (file.empty())
        fail_to_find(text);
    return load_descriptor(file);
}

} // namespace tvw
