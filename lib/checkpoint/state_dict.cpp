// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/checkpoint.h>
#include <tvw/error.h>

#include "base/text.h"

#include <utility>

namespace tvw {

void StateDict::add(std::string key, StateValue value) {
    if (!is_utf8(key))
        throw Error(ErrorKind::kInvalidArgument, "the key " + in_quotes(key) + " is not UTF-8");
    if (!index_.emplace(key, entries_.size()).second) {
        throw Error(ErrorKind::kInvalidArgument,
                    "the state dict has the key " + in_quotes(key) + " already");
    }
    entries_.emplace_back(std::move(key), std::move(value));
}

const StateValue *StateDict::find(std::string_view key) const {
    const auto known = index_.find(key);
    return known != index_.end() ? &entries_[known->second].second : nullptr;
}

StateDict StateDict::without_prefix(std::string_view prefix) const {
    StateDict result;
    for (const auto &[key, value] : entries_) {
        if (!key.starts_with(prefix)) {
            throw Error(ErrorKind::kMismatch,
                        in_quotes(key) + " does not start with " + in_quotes(prefix));
        }
        result.add(key.substr(prefix.size()), value);
    }
    return result;
}

} // namespace tvw
