// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/wrapper.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

namespace tvw {
namespace {

/// Under which training scripts save the state dict beside the epoch and the optimizer.
constexpr std::string_view kWrappers[] = {"state_dict", "model_state_dict", "model_ema", "model"};

bool is_wrapper(std::string_view key) {
    return std::find(std::begin(kWrappers), std::end(kWrappers), key) != std::end(kWrappers);
}

/// Looks at the first entry only: a file may name one large dict many times.
bool looks_like_state_dict(const Pickle &pickle, const PickleValue &value) {
    if (value.type != PickleType::kDict)
        return false;
    const auto &items = pickle.items(value);
    return items.size() >= 2 && items[0].type == PickleType::kString &&
           items[1].type == PickleType::kTensor;
}

/// The keys of the top under which a state dict seems to be, in file order. No key may stand twice:
/// Python would take the last, and another reader the first.
std::vector<FoundStateDict> seen_state_dicts(const Source &source, const Pickle &pickle) {
    std::vector<FoundStateDict> found;
    std::set<std::string_view> keys;
    const auto &top = pickle.items(pickle.top);
    for (size_t i = 0; i < top.size(); i += 2) {
        if (top[i].type != PickleType::kString)
            continue;
        const std::string &key = pickle.string(top[i]);
        if (!keys.insert(key).second)
            source.corrupt(top[i].at, "the key " + in_quotes(key) + " is there twice");
        if (looks_like_state_dict(pickle, top[i + 1]))
            found.push_back({top[i + 1], key});
    }
    return found;
}

std::string names_of(const std::vector<FoundStateDict> &found) {
    constexpr size_t kMost = 3;
    std::string names;
    for (size_t i = 0; i < std::min(found.size(), kMost); ++i)
        names += (i == 0 ? "" : ", ") + in_quotes(found[i].key);
    return names + (found.size() > kMost ? ", …" : "");
}

[[noreturn]] void refuse_choice(const Source &source, const Pickle &pickle,
                                std::string_view complaint,
                                const std::vector<FoundStateDict> &found) {
    const std::string advice =
        found.empty()
            ? "leave it out"
            : fmt::format("set it to {}{}", found.size() > 1 ? "one of " : "", names_of(found));
    source.fail(ErrorKind::kMismatch, pickle.top.at,
                fmt::format("{}; state_dict_key (--state-dict) chooses: {}", complaint, advice));
}

FoundStateDict find_wanted(const Source &source, const Pickle &pickle, std::string_view wanted,
                           const std::vector<FoundStateDict> &seen) {
    const auto &top = pickle.items(pickle.top);
    for (size_t i = 0; i < top.size(); i += 2) {
        if (top[i].type == PickleType::kString && pickle.string(top[i]) == wanted &&
            top[i + 1].type == PickleType::kDict)
            return {top[i + 1], std::string(wanted)};
    }
    refuse_choice(source, pickle, "no state dict under " + in_quotes(wanted), seen);
}

} // namespace

FoundStateDict find_state_dict(const Source &source, const Pickle &pickle,
                               std::string_view wanted) {
    if (pickle.top.type != PickleType::kDict) {
        source.unsupported(pickle.top.at, fmt::format("the file holds {}, not a state dict",
                                                      type_text(pickle.top.type)));
    }
    const std::vector<FoundStateDict> seen = seen_state_dicts(source, pickle);
    if (!wanted.empty())
        return find_wanted(source, pickle, wanted, seen);
    std::vector<FoundStateDict> usual;
    std::copy_if(seen.begin(), seen.end(), std::back_inserter(usual),
                 [](const FoundStateDict &one) { return is_wrapper(one.key); });
    if (usual.size() == 1)
        return usual[0];
    if (usual.size() > 1)
        refuse_choice(source, pickle, "more than one state dict", usual);
    if (!seen.empty())
        refuse_choice(source, pickle, "not a state dict itself", seen);
    return {pickle.top, ""};
}

} // namespace tvw
