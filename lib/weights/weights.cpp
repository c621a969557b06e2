// SPDX-License-Identifier: LGPL-2.1-or-later
#include <tvw/weights.h>

#include "weights/entry.h"

#include <ostream>
#include <utility>

namespace tvw {

Weights::Weights(std::shared_ptr<const Entry> entry) : entry_(std::move(entry)) {}

const std::string &Weights::name() const {
    return entry_->name;
}

const std::string &Weights::builder() const {
    return entry_->builder;
}

const Arguments &Weights::arguments() const {
    return entry_->arguments;
}

const Arguments &Weights::default_arguments() const {
    return entry_->default_arguments;
}

const std::vector<std::string> &Weights::aliases() const {
    return entry_->aliases;
}

const std::string &Weights::url() const {
    return entry_->url;
}

const std::optional<std::filesystem::path> &Weights::checkpoint() const {
    return entry_->checkpoint;
}

const std::string &Weights::sha256() const {
    return entry_->sha256;
}

const std::string &Weights::state_dict_key() const {
    return entry_->state_dict_key;
}

const std::string &Weights::strip_prefix() const {
    return entry_->strip_prefix;
}

const Transforms &Weights::transforms() const {
    return entry_->transforms;
}

Transforms Weights::transforms(const TransformsOverride &parameters) const {
    return override_transforms(entry_->transforms, parameters);
}

const Meta &Weights::meta() const {
    return entry_->meta;
}

std::string Weights::meta_json() const {
    Json json = entry_->meta_json;
    if (entry_->meta.categories)
        json["categories"] = *entry_->meta.categories;
    return json.dump();
}

std::ostream &operator<<(std::ostream &out, const Weights &weights) {
    return out << weights.name();
}

std::ostream &operator<<(std::ostream &out, const WeightsEnum &weights) {
    return out << "<enum '" << weights.name() << "'>";
}

WeightsEnum::WeightsEnum(std::string name, std::string builder, std::vector<Weights> members,
                         std::optional<Weights> default_member)
    : name_(std::move(name)),
      builder_(std::move(builder)),
      members_(std::move(members)),
      default_(std::move(default_member)) {}

} // namespace tvw
