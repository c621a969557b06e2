// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fuzz/mutate_json.h"

#include <algorithm>
#include <vector>

namespace tvw::fuzz {
namespace {

using Tokens = std::vector<std::string>;

constexpr std::string_view kMarks = "{}[],:";
constexpr std::string_view kWords[] = {
    "null", "true",        "false",       "0",  "-1", "1e400", "1.5", "18446744073709551616",
    "\"\"", "\"\\u0000\"", "\"\\ud800\"", "[]", "{}", "[1,2]"};

size_t token_size(std::string_view text) {
    if (kMarks.find(text[0]) != std::string_view::npos)
        return 1;
    if (text[0] == '"') {
        for (size_t i = 1; i < text.size(); ++i) {
            if (text[i] == '"')
                return i + 1;
            i += text[i] == '\\' ? 1 : 0;
        }
        return text.size();
    }
    return std::max<size_t>(1, std::min(text.find_first_of("{}[],: \n\r\t\""), text.size()));
}

Tokens split(std::string_view text) {
    Tokens tokens;
    while (!text.empty()) {
        const size_t size = token_size(text);
        if (text[0] != ' ' && text[0] != '\n')
            tokens.emplace_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return tokens;
}

/// One past the value, member or mark that begins at `at`: brackets are kept in pairs.
size_t end_of(const Tokens &tokens, size_t at) {
    int depth = 0;
    for (; at < tokens.size(); ++at) {
        const char first = tokens[at][0];
        depth += first == '{' || first == '[' ? 1 : first == '}' || first == ']' ? -1 : 0;
        const bool key = at + 1 < tokens.size() && tokens[at + 1] == ":";
        if (depth <= 0 && first != ':' && !key)
            return at + 1;
    }
    return at;
}

std::string some_word(std::span<const std::string_view> words, Random &random) {
    switch (random.below(4)) {
    case 0:
        return std::string(random.pick(kWords));
    case 1:
        return std::to_string(random.number());
    default:
        return std::string(random.pick(words));
    }
}

void change(Tokens &tokens, std::span<const std::string_view> words, Random &random) {
    const size_t at = random.below(tokens.size() + 1);
    const auto here = tokens.begin() + ptrdiff_t(at);
    const auto end = tokens.begin() + ptrdiff_t(end_of(tokens, at));
    switch (random.below(8)) {
    case 0: // with the comma that comes after it
        tokens.erase(here, end != tokens.end() && *end == "," ? end + 1 : end);
        break;
    case 1: {
        Tokens copy(here, end);
        copy.emplace_back(",");
        const size_t to = random.below(tokens.size() + 1);
        tokens.insert(tokens.begin() + ptrdiff_t(to), copy.begin(), copy.end());
        break;
    }
    case 2: // a member
        tokens.insert(here, {some_word(words, random), ":", some_word(words, random), ","});
        break;
    case 3:
        tokens.insert(here, random.one_in(2) ? std::string(1, random.pick(kMarks))
                                             : some_word(words, random));
        break;
    case 4:
        if (here != tokens.end())
            mutate_bytes(*here);
        break;
    case 5:
        if (here != tokens.end()) { // one value for another
            *here = some_word(words, random);
            tokens.erase(here + 1, std::max(here + 1, end));
        }
        break;
    default:
        if (here != tokens.end() && kMarks.find((*here)[0]) == std::string_view::npos)
            *here = some_word(words, random);
    }
}

} // namespace

std::string mutate_json(const std::string &text, std::span<const std::string_view> words,
                        Random &random) {
    Tokens tokens = split(text);
    for (size_t changes = 1 + random.below(3); changes > 0; --changes) {
        change(tokens, words, random);
        std::erase(tokens, std::string());
    }
    std::string result;
    for (size_t i = 0; i < tokens.size(); ++i) {
        const bool comma = tokens[i] == ",";
        // A comma before a closing bracket is no JSON; a change that leaves one is mended.
        const bool last = i + 1 == tokens.size() || tokens[i + 1] == "}" || tokens[i + 1] == "]";
        if (!comma || !last || random.one_in(64))
            result += tokens[i];
    }
    return result;
}

} // namespace tvw::fuzz
