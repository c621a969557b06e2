// SPDX-License-Identifier: LGPL-2.1-or-later
#include "weights/registry.h"

#include "weights/embedded.h"
#include "weights/entry.h"

#include <tvw/error.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace tvw {
namespace {

/// One member of an enum.
Weights read_member(Fields &fields, const std::string &enum_name, const std::string &builder,
                    const EntrySource &source, const std::string &default_member) {
    auto entry = std::make_shared<Weights::Entry>();
    const std::string member = fields.text("member");
    entry->name = enum_name + "." + member;
    entry->builder = builder;
    if (member == default_member)
        entry->aliases = {"DEFAULT"};
    parse_entry(fields, source, *entry);
    fields.finish();
    return Weights(std::move(entry));
}

WeightsEnum read_enum(Fields fields, const std::string &name, const EntrySource &source) {
    const std::string builder = fields.text("builder");
    const std::string default_name = fields.has("DEFAULT") ? fields.text("DEFAULT") : "";
    std::vector<Weights> members;
    std::optional<Weights> default_member;
    for (const Json &item : fields.array("members")) {
        const std::string path =
            fields.path_of("members") + "[" + std::to_string(members.size()) + "]";
        Fields member(item, fields.file(), path);
        members.push_back(read_member(member, name, builder, source, default_name));
        if (!members.back().aliases().empty())
            default_member = members.back();
    }
    if (default_member.has_value() == members.empty())
        fields.fail("DEFAULT", "must name a member");
    fields.finish();
    return {name, builder, std::move(members), std::move(default_member)};
}

std::string_view embedded_text(const std::string &path) {
    const auto files = embedded_files();
    const auto file = std::find_if(files.begin(), files.end(),
                                   [&](const EmbeddedFile &f) { return f.path == path; });
    if (file == files.end())
        throw Error(ErrorKind::kInternal, path + " is not among the embedded files");
    return file->content;
}

} // namespace

const Registry &Registry::get() {
    static const Registry registry;
    return registry;
}

Registry::Registry() {
    try {
        for (const EmbeddedFile &file : embedded_files()) {
            if (file.path.starts_with("weights/"))
                add_file(file.path, file.content);
        }
    } catch (const Error &error) {
        throw Error(ErrorKind::kInternal, std::string("embedded data: ") + error.what());
    }
}

void Registry::add_file(std::string_view path, std::string_view content) {
    const std::string file(path);
    const Json json = parse_json(content, file);
    EntrySource source;
    source.read_labels = [&](const std::string &name) {
        const auto full = (std::filesystem::path(file).parent_path() / name).lexically_normal();
        Labels &labels = labels_[full.string()];
        if (!labels)
            labels = split_labels(embedded_text(full.string()), full.string());
        return labels;
    };
    Fields top(json, file);
    const std::string module = top.text("module");
    Fields enums = top.object("enums");
    for (const auto &item : enums.json().items()) {
        WeightsEnum weights = read_enum(enums.object(item.key()), item.key(), source);
        const std::string builder = weights.builder();
        const auto [place, added] =
            builders_.try_emplace(builder, RegisteredBuilder{module, std::move(weights)});
        if (!added || !enums_.emplace(item.key(), &place->second.weights).second)
            enums.fail(item.key(), "is defined twice, or its builder is");
    }
    top.finish();
}

const RegisteredBuilder *Registry::find_builder(std::string_view name) const {
    const auto found = builders_.find(name);
    return found != builders_.end() ? &found->second : nullptr;
}

const WeightsEnum *Registry::find_enum(std::string_view name) const {
    const auto found = enums_.find(name);
    return found != enums_.end() ? found->second : nullptr;
}

} // namespace tvw
