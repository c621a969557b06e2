// SPDX-License-Identifier: LGPL-2.1-or-later
#include "weights/entry.h"

#include "base/text.h"

#include <tvw/error.h>

#include <algorithm>
#include <utility>

namespace tvw {
namespace {

constexpr std::string_view kScheme = "https://";
// RFC 3986 without the apostrophe: messages quote URLs for the shell.
constexpr std::string_view kUrlCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&()*+,;=%";

void read_location(Fields &fields, const EntrySource &source, Weights::Entry &entry) {
    const bool url = fields.has("url");
    const bool checkpoint = fields.has("checkpoint");
    if (url == checkpoint)
        fields.fail("checkpoint", url ? "and 'url' exclude each other" : "or 'url' is missing");
    if (checkpoint) {
        if (!source.folder)
            fields.fail("checkpoint", "is for descriptors on disk");
        entry.checkpoint = *source.folder / fields.text("checkpoint");
        return;
    }
    entry.url = fields.text("url");
    const bool plain = entry.url.find_first_not_of(kUrlCharacters) == std::string::npos;
    if (!plain || !entry.url.starts_with(kScheme) || url_file_name(entry.url).empty())
        fields.fail("url", "must be an https:// address that ends in a file name");
}

std::string read_sha256(Fields &fields) {
    constexpr size_t kShortest = 8;
    constexpr size_t kFull = 64;
    std::string digest = fields.text("sha256");
    const bool hex = digest.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!hex || digest.size() < kShortest || digest.size() > kFull)
        fields.fail("sha256", "must be 8 to 64 lower-case hex digits");
    return digest;
}

Arguments read_arguments(const Fields &fields) {
    Arguments arguments;
    for (const auto &item : fields.json().items()) {
        auto value = argument_value(item.value());
        if (!value)
            fields.fail(item.key(), "must be a number, text, true, false, null or an array of "
                                    "numbers");
        arguments.emplace(item.key(), *std::move(value));
    }
    return arguments;
}

Labels read_categories(Fields &fields, const EntrySource &source) {
    const Json &value = fields.get("categories");
    if (value.is_string())
        return source.read_labels(fields.text("categories"));
    auto labels = std::make_shared<const std::vector<std::string>>(fields.texts("categories"));
    if (labels->empty())
        fields.fail("categories", "must not be empty");
    return labels;
}

std::optional<int64_t> num_classes(const Weights::Entry &entry, const EntrySource &source) {
    const auto argument = entry.arguments.find("num_classes");
    if (argument == entry.arguments.end())
        return source.num_classes;
    const auto *count = std::get_if<int64_t>(&argument->second);
    return count != nullptr ? std::optional(*count) : std::nullopt;
}

/// A label file that is one line off would name every picture wrongly.
void check_number_of_categories(const Fields &fields, const EntrySource &source,
                                const Weights::Entry &entry) {
    const auto expected = num_classes(entry, source);
    if (!expected || !entry.meta.categories)
        return;
    const size_t actual = entry.meta.categories->size();
    if (actual != size_t(*expected))
        throw Error(ErrorKind::kMismatch,
                    fields.file() + ": 'categories' holds " + std::to_string(actual) +
                        " names, but the model has " + std::to_string(*expected) +
                        " classes; set 'num_classes' in 'arguments', or mend the list");
}

} // namespace

std::string url_file_name(std::string_view url) {
    url = url.substr(0, url.find_first_of("?#"));
    if (url.starts_with(kScheme))
        url.remove_prefix(kScheme.size());
    const size_t slash = url.rfind('/');
    if (slash == std::string_view::npos)
        return "";
    const std::string name(url.substr(slash + 1));
    return name != "." && name != ".." ? name : "";
}

Labels split_labels(std::string_view text, const std::string &name) {
    if (text.starts_with("\xef\xbb\xbf")) // an editor's byte order mark
        text.remove_prefix(3);
    std::vector<std::string> labels;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r'))
            line.remove_suffix(1);
        labels.emplace_back(line);
        if (line.empty() || !is_printable(line))
            throw Error(ErrorKind::kInvalidArgument,
                        name + ", line " + std::to_string(labels.size()) +
                            ": a category must be UTF-8 text without control characters");
    }
    if (labels.empty())
        throw Error(ErrorKind::kInvalidArgument, name + " holds no categories");
    return std::make_shared<const std::vector<std::string>>(std::move(labels));
}

void parse_entry(Fields &fields, const EntrySource &source, Weights::Entry &entry) {
    read_location(fields, source, entry);
    if (fields.has("arguments"))
        entry.arguments = read_arguments(fields.object("arguments"));
    if (fields.has("default_arguments"))
        entry.default_arguments = read_arguments(fields.object("default_arguments"));
    if (fields.has("sha256"))
        entry.sha256 = read_sha256(fields);
    if (fields.has("state_dict_key"))
        entry.state_dict_key = fields.text("state_dict_key");
    if (fields.has("strip_prefix"))
        entry.strip_prefix = fields.text("strip_prefix");
    entry.transforms = parse_transforms(fields.object("transforms"));
    entry.meta_json = Json::object();
    if (fields.has("meta")) {
        entry.meta = parse_meta(fields.object("meta"));
        entry.meta_json = fields.get("meta");
    }
    if (fields.has("categories"))
        entry.meta.categories = read_categories(fields, source);
    check_number_of_categories(fields, source, entry);
}

} // namespace tvw
