// SPDX-License-Identifier: LGPL-2.1-or-later
// One entry of a weights file or a user's descriptor, and the one parser for both.
#pragma once

#include "weights/json.h"

#include <tvw/weights.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tvw {

struct Weights::Entry {
    std::string name;
    std::string builder;
    Arguments arguments;
    Arguments default_arguments;
    std::vector<std::string> aliases;
    std::string url;
    std::optional<std::filesystem::path> checkpoint;
    std::string sha256;
    std::string state_dict_key;
    std::string strip_prefix;
    Transforms transforms;
    Meta meta;
    Json meta_json; ///< as in the file: `categories` is null where `meta.categories` belongs
};

/// What the parser must know about the file around an entry.
struct EntrySource {
    std::optional<std::filesystem::path> folder; ///< where relative paths start; none if built in
    std::optional<int64_t> num_classes; ///< the builder's, where `arguments` gives no other
    std::function<Labels(const std::string &path)> read_labels;
};

/// Reads what stands in both kinds of file: everything but `name`, `builder` and `aliases`.
/// The caller finishes `fields`.
void parse_entry(Fields &fields, const EntrySource &source, Weights::Entry &entry);

/// `transforms`: {"preset": name, its fields...}.
Transforms parse_transforms(Fields fields);

/// `meta`; leaves `categories` alone.
Meta parse_meta(Fields fields);

/// None for what no builder takes: objects, nested or mixed arrays, integers beyond 64 bits.
std::optional<ArgumentValue> argument_value(const Json &value);

/// One label a line, as `name` says in messages.
Labels split_labels(std::string_view text, const std::string &name);

/// The name under which torch.hub keeps the file: what follows the last slash of the URL's path.
/// "" where that is no file name.
std::string url_file_name(std::string_view url);

} // namespace tvw
