// SPDX-License-Identifier: LGPL-2.1-or-later
#include "weights/glob.h"

namespace tvw {
namespace {

/// The bytes between the brackets of a set at the front of `pattern` ("[" first); an unclosed
/// bracket is no set, hence none.
std::string_view set_at_front(std::string_view pattern) {
    // The first byte may be the negation, and the first member may be "]" itself.
    size_t close = pattern.substr(1, 1) == "!" ? 2 : 1;
    if (pattern.substr(close, 1) == "]")
        ++close;
    close = pattern.find(']', close);
    return close == std::string_view::npos ? std::string_view{} : pattern.substr(1, close - 1);
}

bool set_contains(std::string_view set, char c) {
    const bool negated = set[0] == '!';
    set.remove_prefix(negated ? 1 : 0);
    const auto in_order = [](char a, char b) {
        return static_cast<unsigned char>(a) <= static_cast<unsigned char>(b);
    };
    bool found = false;
    while (!set.empty()) {
        const bool range = set.size() > 2 && set[1] == '-';
        found = found || (range ? in_order(set[0], c) && in_order(c, set[2]) : c == set[0]);
        set.remove_prefix(range ? 3 : 1);
    }
    return found != negated;
}

/// Bytes of the pattern's first item, and whether it matches `c`.
struct Item {
    size_t size;
    bool matches;
};

Item match_one(std::string_view pattern, char c) {
    const std::string_view set = pattern[0] == '[' ? set_at_front(pattern) : std::string_view{};
    if (!set.empty())
        return {set.size() + 2, set_contains(set, c)};
    return {1, pattern[0] == '?' || pattern[0] == c};
}

} // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
    // Where to go on after a mismatch: the last "*" takes one byte more. Earlier stars need no
    // second look, so the cost is at most the product of the lengths.
    bool starred = false;
    std::string_view after_star;
    std::string_view rest;
    while (!text.empty() || !pattern.empty()) {
        if (!pattern.empty() && pattern[0] == '*') {
            pattern.remove_prefix(1);
            starred = true;
            after_star = pattern;
            rest = text;
            continue;
        }
        const Item item =
            pattern.empty() || text.empty() ? Item{0, false} : match_one(pattern, text[0]);
        if (item.matches) {
            pattern.remove_prefix(item.size);
            text.remove_prefix(1);
        } else if (starred && !rest.empty()) {
            rest.remove_prefix(1);
            text = rest;
            pattern = after_star;
        } else {
            return false;
        }
    }
    return true;
}

} // namespace tvw
