// SPDX-License-Identifier: LGPL-2.1-or-later
// Users' own checkpoints: one entry in a file of its own.
#include "base/text.h"
#include "weights/entry.h"
#include "weights/registry.h"

#include <tvw/error.h>

#include <utility>

namespace tvw {
namespace {

constexpr size_t kLongestFile = size_t{4} << 20;

/// The number of classes that the builder's own checkpoints agree on.
std::optional<int64_t> default_num_classes(const WeightsEnum &weights) {
    for (const Weights &member : weights.members()) {
        if (member.meta().categories)
            return int64_t(member.meta().categories->size());
    }
    return std::nullopt;
}

const WeightsEnum &read_builder(Fields &fields) {
    const std::string name = fields.text("builder");
    try {
        return get_model_weights(name);
    } catch (const Error &error) {
        throw Error(ErrorKind::kInvalidArgument, fields.file() + ": 'builder': " + error.what());
    }
}

} // namespace

Labels load_categories(const std::filesystem::path &path) {
    return split_labels(read_text_file(path, kLongestFile), path.string());
}

Weights load_descriptor(const std::filesystem::path &path) {
    const std::string file = path.string();
    const Json json = parse_json(read_text_file(path, kLongestFile), file);
    Fields fields(json, file);
    const WeightsEnum &builtin = read_builder(fields);
    EntrySource source;
    source.folder = std::filesystem::absolute(path).parent_path();
    source.num_classes = default_num_classes(builtin);
    source.read_labels = [&source](const std::string &name) {
        return load_categories(*source.folder / name);
    };
    auto entry = std::make_shared<Weights::Entry>();
    entry->name = path.stem().string();
    entry->builder = builtin.builder();
    fields.has("$schema"); // where an editor finds the schema
    parse_entry(fields, source, *entry);
    fields.finish();
    return Weights(std::move(entry));
}

} // namespace tvw
