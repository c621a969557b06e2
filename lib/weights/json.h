// SPDX-License-Identifier: LGPL-2.1-or-later
// JSON that strangers may have written: bounded parsing, and objects read key by key.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tvw {

/// Keeps keys in the order of the file.
using Json = nlohmann::ordered_json;

/// Error(kCorruptFile) for broken JSON (with the offset), nesting beyond 16 levels, objects of more
/// than 256 keys and repeated keys. `file` is the name that messages use.
Json parse_json(std::string_view text, const std::string &file);

/// None where the value is not of the kind or not in the range.
std::optional<int64_t> as_integer(const Json &value, int64_t min, int64_t max);
std::optional<double> as_number(const Json &value);    ///< finite
std::optional<std::string> as_text(const Json &value); ///< printable, at most 4096 bytes

/// One JSON object. Every read names its key, and a key that nobody asked for is an error.
/// All errors are kInvalidArgument and name the file and the key.
class Fields {
public:
    /// `value` must outlive this; `path` leads to it within the file, "" for the top.
    Fields(const Json &value, std::string file, std::string path = "");

    const std::string &file() const { return file_; }
    const Json &json() const { return value_; }

    bool has(std::string_view key);
    // The readers fail where the key is absent.
    const Json &get(std::string_view key);
    const Json &array(std::string_view key);
    Fields object(std::string_view key);
    std::string text(std::string_view key);
    std::vector<std::string> texts(std::string_view key);
    int64_t integer(std::string_view key, int64_t min, int64_t max);
    double number(std::string_view key);

    /// "key" or "outer.key", as messages show it.
    std::string path_of(std::string_view key) const;
    /// Throws "file: 'path.key' complaint".
    [[noreturn]] void fail(std::string_view key, const std::string &complaint) const;
    /// Call last: complains about a key that was never asked for, and offers the nearest that was.
    void finish() const;

private:
    const Json &value_;
    std::string file_;
    std::string path_;
    std::vector<std::string> known_;
};

} // namespace tvw
