// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tvw {
namespace {

bool is_container(const PickleValue &value) {
    return value.type == PickleType::kTuple || value.type == PickleType::kList ||
           value.type == PickleType::kDict;
}

} // namespace

std::string_view type_text(PickleType type) {
    switch (type) {
    case PickleType::kNone:
        return "None";
    case PickleType::kBool:
        return "a bool";
    case PickleType::kInt:
        return "an int";
    case PickleType::kFloat:
        return "a float";
    case PickleType::kString:
        return "a string";
    case PickleType::kTuple:
        return "a tuple";
    case PickleType::kList:
        return "a list";
    case PickleType::kDict:
        return "a dict";
    case PickleType::kGlobal:
        return "a name";
    case PickleType::kStorage:
        return "a storage";
    case PickleType::kTensor:
        return "a tensor";
    }
    return "";
}

PickleValue Pickle::add_string(std::string text) {
    strings.push_back(std::move(text));
    return {PickleType::kString, int64_t(strings.size() - 1)};
}

PickleValue Pickle::add_container(PickleType type, std::vector<PickleValue> items) {
    containers.emplace_back();
    put_inside(containers.size() - 1, items);
    containers.back().items = std::move(items);
    return {type, int64_t(containers.size() - 1)};
}

void Pickle::extend(const PickleValue &container, std::span<const PickleValue> items) {
    PickleContainer &target = containers[container.index()];
    if (target.inside_another) {
        refuse(fmt::format("changes {} that is already part of another value",
                           type_text(container.type)));
    }
    put_inside(container.index(), items);
    target.items.insert(target.items.end(), items.begin(), items.end());
}

void Pickle::put_inside(size_t container, std::span<const PickleValue> items) {
    for (const PickleValue &item : items) {
        if (!is_container(item))
            continue;
        if (item.index() == container)
            refuse(fmt::format("puts {} into itself", type_text(item.type)));
        PickleContainer &child = containers[item.index()];
        child.inside_another = true;
        uint64_t &depth = containers[container].depth;
        depth = std::max(depth, child.depth + 1);
        if (depth > depth_limit) {
            refuse_unsupported(
                fmt::format("values are nested deeper than the limit of {}", depth_limit));
        }
    }
}

void refuse(const std::string &what) {
    throw PickleRefusal{ErrorKind::kCorruptFile, what};
}

void refuse_unsupported(const std::string &what) {
    throw PickleRefusal{ErrorKind::kNotSupported, what};
}

} // namespace tvw
