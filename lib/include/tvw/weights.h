// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <tvw/export.h>
#include <tvw/progress.h>
#include <tvw/transforms.h>

#include <filesystem>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// The registry: torchvision's Multi-Weight API as data, and users' own descriptors beside it.
/// Reads no checkpoint and touches no network, `get_state_dict` excepted.
namespace tvw {

class StateDict;

/// A keyword argument of a builder.
using ArgumentValue = std::variant<std::monostate, bool, int64_t, double, std::string,
                                   std::vector<int64_t>, std::vector<double>>;
/// Keyword arguments of a builder, by name.
using Arguments = std::map<std::string, ArgumentValue, std::less<>>;

/// Reads "name=value", the value written as JSON or, failing that, taken as a string.
TVW_API std::pair<std::string, ArgumentValue> parse_argument(std::string_view text);

/// Class names in label order, shared by all checkpoints that have the same list.
using Labels = std::shared_ptr<const std::vector<std::string>>;

/// A checkpoint's metadata; keys and meaning are torchvision's.
struct Meta {
    Labels categories; ///< null where there are none
    std::optional<int64_t> num_params;
    std::optional<std::pair<int64_t, int64_t>> min_size; ///< height, width
    std::optional<std::string> recipe;
    std::optional<std::string> docs;                              ///< "_docs"
    std::map<std::string, std::map<std::string, double>> metrics; ///< "_metrics"; may be NaN
    std::optional<double> ops;                                    ///< "_ops", GFLOP
    std::optional<double> file_size;                              ///< "_file_size", MiB
    std::optional<std::string> backend;                           ///< quantized only
    std::optional<std::string> unquantized;                       ///< quantized only
    std::optional<std::string> license;
    std::optional<int64_t> min_temporal_size; ///< video only
    std::vector<std::string> keypoint_names;  ///< keypoint detection only
};

/// One checkpoint: where it is, how its input is made, what it knows. A cheap handle to an entry
/// that lives as long as the process (registry) or the last handle (descriptor).
class TVW_API Weights {
public:
    struct Entry;
    explicit Weights(std::shared_ptr<const Entry> entry);

    /// "ResNet50_Weights.IMAGENET1K_V2", or a descriptor's file name without ".json".
    const std::string &name() const;
    const std::string &builder() const;
    /// Arguments the builder needs for this checkpoint (num_classes …); a descriptor's.
    const Arguments &arguments() const;
    /// Those that the builder takes from this checkpoint unless the caller gives others.
    const Arguments &default_arguments() const;
    /// Names of the same enum that mean this member ("DEFAULT").
    const std::vector<std::string> &aliases() const;
    /// Empty for a descriptor with a local checkpoint.
    const std::string &url() const;
    /// The local checkpoint of a descriptor, absolute.
    const std::optional<std::filesystem::path> &checkpoint() const;
    /// SHA-256 or the leading part that is known, lower-case hex; may be empty.
    const std::string &sha256() const;
    /// Where in the file the state dict is (CheckpointOptions::state_dict_key); may be empty.
    const std::string &state_dict_key() const;
    /// What to take off the front of every key ("module."); may be empty.
    const std::string &strip_prefix() const;
    const Transforms &transforms() const;
    Transforms transforms(const TransformsOverride &parameters) const;
    const Meta &meta() const;
    /// All of meta as one JSON object, in Python's key order; null for NaN.
    std::string meta_json() const;

    /// The checkpoint's tensors; downloads the file unless it is in the cache (tvw/hub.h), and
    /// verifies it. Errors as `fetch_checkpoint` and `load_checkpoint`.
    StateDict get_state_dict(const Progress &progress = {}) const;

    bool operator==(const Weights &other) const { return entry_ == other.entry_; }

private:
    std::shared_ptr<const Entry> entry_;
};

/// Prints the name, as Python does.
TVW_API std::ostream &operator<<(std::ostream &out, const Weights &weights);

/// The members that one builder can be given.
class TVW_API WeightsEnum {
public:
    WeightsEnum(std::string name, std::string builder, std::vector<Weights> members,
                std::optional<Weights> default_member);

    const std::string &name() const { return name_; }       ///< "ResNet50_Weights"
    const std::string &builder() const { return builder_; } ///< "resnet50"
    /// In order of definition, without aliases.
    const std::vector<Weights> &members() const { return members_; }
    /// DEFAULT; none where the enum has no members, for a builder that knows users' files only.
    const std::optional<Weights> &default_member() const { return default_; }

    size_t size() const { return members_.size(); }
    auto begin() const { return members_.begin(); }
    auto end() const { return members_.end(); }

    /// By member or alias: Python's `ResNet50_Weights["DEFAULT"]`. Error(kNotFound) names it and
    /// those there are.
    Weights operator[](std::string_view member) const;
    /// What a builder makes of a string given as weights: "ResNet50_Weights.DEFAULT" or "DEFAULT".
    Weights verify(std::string_view text) const;
    /// The same, if it belongs to this builder (or is a descriptor for it). Error(kInvalidArgument)
    /// "Invalid Weight class provided; expected X but received Y.".
    Weights verify(const Weights &weights) const;
    /// The same where the builder is called with `given`: of one that quantizes, `quantize` says
    /// whether its own checkpoints are meant or those of the network before (meta.unquantized).
    /// Where it is not given, a checkpoint means itself, and a member alone one of the latter, as
    /// torchvision's default is false.
    Weights verify(std::string_view text, const Arguments &given) const;
    Weights verify(const Weights &weights, const Arguments &given) const;

    bool operator==(const WeightsEnum &other) const { return name_ == other.name_; }

private:
    const WeightsEnum &meant(bool own, const Arguments &given) const;

    std::string name_;
    std::string builder_;
    std::vector<Weights> members_;
    std::optional<Weights> default_;
};

/// Prints "<enum 'ResNet50_Weights'>", as Python does.
TVW_API std::ostream &operator<<(std::ostream &out, const WeightsEnum &weights);

/// The builder's keyword arguments when it is called with `weights` and `given`. Error
/// (kInvalidArgument) where the two disagree, worded as torchvision does: "The parameter
/// 'num_classes' expected value 1000 but got 7 instead.".
TVW_API Arguments builder_arguments(const Weights &weights, const Arguments &given);

/// "ResNet50_Weights.IMAGENET1K_V2" or "….DEFAULT"; messages are torchvision's.
TVW_API Weights get_weight(std::string_view name);
/// By builder name, in any case of letters. Error(kNotFound) "Unknown model nope".
TVW_API const WeightsEnum &get_model_weights(std::string_view builder);
/// Sorted names of builders. `module` is "classification", "quantization", "detection", …, or
/// "extra" (additions of this project, listed only when asked for). Patterns are fnmatch globs:
/// `include` is a union (empty means all), `exclude` subtracts.
TVW_API std::vector<std::string> list_models(std::optional<std::string_view> module = {},
                                             std::span<const std::string> include = {},
                                             std::span<const std::string> exclude = {});

/// Reads a list of categories: UTF-8, one a line, in label order.
/// Errors: kNotFound, kIo, kInvalidArgument, which names the line.
TVW_API Labels load_categories(const std::filesystem::path &path);

/// Reads a user's descriptor (schema: data/schema/descriptor.schema.json).
/// Errors: kNotFound, kIo, kCorruptFile for what is not JSON, kMismatch for a number of categories
/// that is not the model's, and kInvalidArgument, which names the file and the key.
TVW_API Weights load_descriptor(const std::filesystem::path &path);

/// What a person writes where weights are wanted: "Enum.MEMBER", a builder's name (its DEFAULT), a
/// path ending in ".json", or the name of a descriptor in a folder of TVW_WEIGHTS_PATH.
TVW_API Weights find_weights(std::string_view text);

} // namespace tvw
