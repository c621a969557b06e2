// SPDX-License-Identifier: LGPL-2.1-or-later
#include "weights/json.h"

#include "base/nearest.h"
#include "base/text.h"

#include <tvw/error.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace tvw {
namespace {

constexpr int kDeepest = 16;
constexpr size_t kMostKeys = 256;
constexpr size_t kLongestText = 4096;
constexpr const char *kTextRule = "must be text of at most 4096 bytes without control characters";

/// Follows the parser and refuses what it would accept: nesting and objects without bounds (both
/// cost more than their bytes), repeated keys (whose meaning no two readers agree on).
class Watcher {
public:
    explicit Watcher(const std::string &file) : file_(file) {}

    bool operator()(int depth, Json::parse_event_t event, const Json &value) {
        const auto level = size_t(depth);
        if (event == Json::parse_event_t::object_start ||
            event == Json::parse_event_t::array_start) {
            if (depth >= kDeepest)
                refuse("nested deeper than " + std::to_string(kDeepest) + " levels");
            keys_.resize(level + 1);
            keys_.back().clear();
        } else if (event == Json::parse_event_t::key) {
            const auto &key = value.get_ref<const std::string &>();
            if (!keys_[level - 1].insert(key).second)
                refuse("the key " + in_quotes(key) + " stands twice");
            if (keys_[level - 1].size() > kMostKeys)
                refuse("an object with more than " + std::to_string(kMostKeys) + " keys");
        }
        return true;
    }

private:
    [[noreturn]] void refuse(const std::string &complaint) const {
        throw Error(ErrorKind::kCorruptFile, file_ + ": " + complaint);
    }

    const std::string &file_;
    std::vector<std::set<std::string>> keys_; ///< of the open containers, outermost first
};

} // namespace

Json parse_json(std::string_view text, const std::string &file) {
    Watcher watcher(file);
    try {
        return Json::parse(text, std::ref(watcher));
    } catch (const Json::parse_error &error) {
        const size_t offset = error.byte > 0 ? error.byte - 1 : 0;
        const std::string_view before = text.substr(0, offset);
        const auto line = 1 + std::count(before.begin(), before.end(), '\n');
        throw Error(ErrorKind::kCorruptFile,
                    file + " is not valid JSON, see line " + std::to_string(line), offset);
    } catch (const Json::exception &) {
        throw Error(ErrorKind::kCorruptFile, file + ": a number is too large to be read");
    }
}

std::optional<int64_t> as_integer(const Json &value, int64_t min, int64_t max) {
    constexpr auto kLargest = uint64_t(std::numeric_limits<int64_t>::max());
    const bool fits =
        value.is_number_unsigned() ? value.get<uint64_t>() <= kLargest : value.is_number_integer();
    if (!fits || value.get<int64_t>() < min || value.get<int64_t>() > max)
        return std::nullopt;
    return value.get<int64_t>();
}

std::optional<double> as_number(const Json &value) {
    if (!value.is_number() || !std::isfinite(value.get<double>()))
        return std::nullopt;
    return value.get<double>();
}

std::optional<std::string> as_text(const Json &value) {
    const auto *text = value.get_ptr<const std::string *>();
    if (text == nullptr || text->size() > kLongestText || !is_printable(*text))
        return std::nullopt;
    return *text;
}

Fields::Fields(const Json &value, std::string file, std::string path)
    : value_(value), file_(std::move(file)), path_(std::move(path)) {
    if (!value.is_object())
        throw Error(ErrorKind::kInvalidArgument,
                    file_ + (path_.empty() ? "" : ": " + in_quotes(path_)) + " must be an object");
}

bool Fields::has(std::string_view key) {
    known_.emplace_back(key);
    return value_.contains(known_.back());
}

const Json &Fields::get(std::string_view key) {
    if (!has(key))
        fail(key, "is missing");
    return value_.at(std::string(key));
}

const Json &Fields::array(std::string_view key) {
    const Json &value = get(key);
    if (!value.is_array())
        fail(key, "must be an array");
    return value;
}

Fields Fields::object(std::string_view key) {
    return {get(key), file_, path_of(key)};
}

std::string Fields::text(std::string_view key) {
    const auto text = as_text(get(key));
    if (!text)
        fail(key, kTextRule);
    return *text;
}

std::vector<std::string> Fields::texts(std::string_view key) {
    std::vector<std::string> result;
    for (const Json &item : array(key)) {
        const auto text = as_text(item);
        if (!text)
            fail(key, std::string("holds an item that ") + kTextRule);
        result.push_back(*text);
    }
    return result;
}

int64_t Fields::integer(std::string_view key, int64_t min, int64_t max) {
    const auto value = as_integer(get(key), min, max);
    if (!value)
        fail(key, "must be an integer from " + std::to_string(min) + " to " + std::to_string(max));
    return *value;
}

double Fields::number(std::string_view key) {
    const auto value = as_number(get(key));
    if (!value)
        fail(key, "must be a number");
    return *value;
}

std::string Fields::path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void Fields::fail(std::string_view key, const std::string &complaint) const {
    throw Error(ErrorKind::kInvalidArgument,
                file_ + ": " + in_quotes(path_of(key)) + " " + complaint);
}

void Fields::finish() const {
    for (const auto &item : value_.items()) {
        if (std::find(known_.begin(), known_.end(), item.key()) == known_.end())
            fail(item.key(), "is not a known key" + did_you_mean(item.key(), known_));
    }
}

} // namespace tvw
