// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fit.h"

#include <tvw/error.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace tvw::cli {
namespace {

constexpr const char *kNumClasses = "num_classes";

std::vector<ParameterSpec> parameters(const std::string &builder, Arguments arguments,
                                      int64_t num_classes) {
    arguments.emplace(kNumClasses, num_classes);
    return engine_library().parameters(builder, arguments);
}

/// What all keys begin with.
std::string_view common_prefix(const StateDict &state_dict) {
    if (state_dict.size() == 0)
        return {};
    std::string_view common = state_dict.entries().front().first;
    for (const auto &[key, value] : state_dict.entries()) {
        const auto end = std::mismatch(common.begin(), common.end(), key.begin(), key.end()).first;
        common = common.substr(0, size_t(end - common.begin()));
    }
    return common;
}

const Shape *shape_of(const StateDict &state_dict, const std::string &key) {
    const StateValue *value = state_dict.find(key);
    const auto *tensor = value != nullptr ? std::get_if<HostTensor>(value) : nullptr;
    return tensor != nullptr ? &tensor->shape() : nullptr;
}

/// How well a builder's parameters and a checkpoint agree.
struct Match {
    std::string prefix;
    size_t same = 0; ///< parameters that are there in their shape
};

/// With the prefix that serves most parameters: nothing, or up to a dot that all keys share.
Match match(const std::vector<ParameterSpec> &specs, const StateDict &state_dict) {
    const std::string_view common = common_prefix(state_dict);
    Match best;
    for (size_t end = 0; end != std::string_view::npos;) {
        Match candidate{std::string(common.substr(0, end)), 0};
        for (const ParameterSpec &spec : specs) {
            const Shape *shape = shape_of(state_dict, candidate.prefix + spec.key);
            candidate.same += shape != nullptr && *shape == spec.shape;
        }
        if (candidate.same > best.same)
            best = std::move(candidate);
        const size_t dot = common.find('.', end);
        end = dot == std::string_view::npos ? dot : dot + 1;
    }
    return best;
}

/// Read from the last parameter whose shape depends on it.
std::optional<int64_t> read_num_classes(const std::string &builder, const Arguments &arguments,
                                        const StateDict &state_dict, const std::string &prefix) {
    const std::vector<ParameterSpec> with_two = parameters(builder, arguments, 2);
    const std::vector<ParameterSpec> with_three = parameters(builder, arguments, 3);
    std::optional<int64_t> found;
    for (size_t i = 0; i < with_two.size(); ++i) {
        const Shape &two = with_two[i].shape;
        const Shape &three = with_three[i].shape;
        const Shape *actual = shape_of(state_dict, prefix + with_two[i].key);
        if (actual == nullptr || actual->size() != two.size())
            continue;
        for (size_t axis = 0; axis < two.size(); ++axis) {
            if (two[axis] != three[axis])
                found = (*actual)[axis];
        }
    }
    return found;
}

Fit load(const std::string &builder, const std::shared_ptr<const Checkpoint> &checkpoint,
         const Arguments &arguments) {
    const StateDict &state_dict = checkpoint->state_dict;
    Fit fit{builder, arguments, match(parameters(builder, arguments, 2), state_dict).prefix, {}};
    if (arguments.count(kNumClasses) == 0) {
        if (const auto count = read_num_classes(builder, arguments, state_dict, fit.strip_prefix))
            fit.arguments.emplace(kNumClasses, *count);
    }
    fit.engine = engine_library().create({.builder = builder,
                                          .arguments = fit.arguments,
                                          .checkpoint = checkpoint,
                                          .strip_prefix = fit.strip_prefix});
    return fit;
}

struct Candidate {
    std::string builder;
    double likeness; ///< the share of parameters and keys that agree
};

/// All builders that take the arguments, the likeliest first.
std::vector<Candidate> candidates(const StateDict &state_dict, const Arguments &given) {
    std::vector<std::string> names = list_models();
    const std::vector<std::string> extra = list_models("extra");
    names.insert(names.end(), extra.begin(), extra.end());
    std::vector<Candidate> result;
    std::optional<Error> refusal;
    for (const std::string &name : names) {
        try {
            const std::vector<ParameterSpec> specs = parameters(name, given, 2);
            const size_t all = std::max(specs.size(), state_dict.size());
            result.push_back({name, double(match(specs, state_dict).same) / double(all)});
        } catch (const Error &error) {
            if (error.kind() == ErrorKind::kInvalidArgument)
                refusal = error;
            else if (error.kind() != ErrorKind::kNotSupported)
                throw;
        }
    }
    if (result.empty() && refusal)
        throw Error(*refusal);
    std::stable_sort(result.begin(), result.end(), [](const Candidate &a, const Candidate &b) {
        return a.likeness > b.likeness;
    });
    return result;
}

} // namespace

Fit fit_builder(const std::string &builder, const std::shared_ptr<const Checkpoint> &checkpoint,
                const Arguments &given, const std::optional<Weights> &like) {
    Arguments usual = given;
    Arguments special = given;
    if (like && like->builder() == builder) {
        usual.insert(like->default_arguments().begin(), like->default_arguments().end());
        special = usual;
        special.insert(like->arguments().begin(), like->arguments().end());
    }
    try {
        return load(builder, checkpoint, usual);
    } catch (const Error &first) {
        if (first.kind() != ErrorKind::kMismatch || special == usual)
            throw;
        // What the other checkpoint needs, such as another image size, this one may need or not.
        try {
            return load(builder, checkpoint, special);
        } catch (const Error &) {
            throw Error(first);
        }
    }
}

Fit fit_any_builder(const std::shared_ptr<const Checkpoint> &checkpoint, const Arguments &given,
                    const std::optional<Weights> &like) {
    constexpr double kLeast = 0.5; // below, it is another network
    const std::string file = checkpoint->path.filename().string();
    std::vector<Fit> fits;
    std::string nearest;
    for (const Candidate &candidate : candidates(checkpoint->state_dict, given)) {
        if (candidate.likeness < kLeast)
            break;
        const WeightsEnum &known = get_model_weights(candidate.builder);
        try {
            fits.push_back(fit_builder(candidate.builder, checkpoint, given,
                                       like ? like : known.default_member()));
        } catch (const Error &error) {
            if (error.kind() != ErrorKind::kMismatch)
                throw;
            if (nearest.empty())
                nearest = error.what();
        }
    }
    if (fits.size() == 1)
        return std::move(fits.front());
    if (fits.empty())
        throw Error(ErrorKind::kMismatch,
                    nearest.empty()
                        ? file + " shares not even half of its parameters with a builder"
                        : "no builder fits; the nearest: " + nearest);
    std::vector<std::string> names(fits.size());
    std::transform(fits.begin(), fits.end(), names.begin(),
                   [](const Fit &fit) { return fit.builder; });
    throw Error(ErrorKind::kMismatch,
                fmt::format("{} fits {}: choose one with --builder", file, fmt::join(names, ", ")));
}

} // namespace tvw::cli
