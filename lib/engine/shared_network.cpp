// SPDX-License-Identifier: LGPL-2.1-or-later
#include "engine/shared_network.h"

#include "backends/cuda/gpu.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <mutex>

namespace tvw {
namespace {

struct ArgumentText {
    std::string operator()(std::monostate /*none*/) const { return "None"; }
    std::string operator()(const std::string &text) const { return fmt::format("{:?}", text); }
    template<typename T>
    std::string operator()(const std::vector<T> &list) const {
        return fmt::format("[{}]", fmt::join(list, ","));
    }
    template<typename T>
    std::string operator()(T value) const {
        return fmt::format("{}", value);
    }
};

std::string text_of(const Arguments &arguments) {
    std::string text;
    for (const auto &[name, value] : arguments)
        text += fmt::format(" {}={}", name, std::visit(ArgumentText{}, value));
    return text;
}

/// Equal for configurations that compute the same.
std::string sharing_key(const EngineConfig &config) {
    std::string key = config.builder + text_of(config.arguments);
    if (config.given)
        key += " given" + text_of(*config.given);
    if (!config.checkpoint)
        return fmt::format("{} seed={} backend={}", key, config.seed, int(config.backend));
    return fmt::format("{} {} state_dict={:?} prefix={:?} backend={}", key,
                       config.checkpoint->digest, config.checkpoint->state_dict_key,
                       config.strip_prefix, int(config.backend));
}

std::string text_of(const Placement &placement) {
    const std::string where =
        placement.gpu == nullptr ? "cpu" : fmt::format("cuda:{}", placement.gpu->index());
    return fmt::format(" {} {}", where, precision_name(placement.precision));
}

/// One for each key that was ever asked for; holds the network only as long as somebody uses it.
struct Slot {
    std::mutex building; ///< held while it is made, so that a second caller waits for it
    std::weak_ptr<Network> network;
};

std::shared_ptr<Slot> slot_for(const std::string &key) {
    static std::mutex mutex;
    static std::map<std::string, std::shared_ptr<Slot>> slots;
    const std::lock_guard lock(mutex);
    std::erase_if(slots, [](const auto &entry) {
        return entry.second.use_count() == 1 && entry.second->network.expired();
    });
    std::shared_ptr<Slot> &slot = slots[key];
    if (!slot)
        slot = std::make_shared<Slot>();
    return slot;
}

} // namespace

std::shared_ptr<Network> shared_network(const EngineConfig &config, const Placement &placement) {
    // Without a digest nothing tells whether two checkpoints are the same.
    if (config.checkpoint && config.checkpoint->digest.empty())
        return std::make_shared<Network>(config, Network::Keep::kPacked, placement);
    const std::shared_ptr<Slot> slot = slot_for(sharing_key(config) + text_of(placement));
    const std::lock_guard lock(slot->building);
    std::shared_ptr<Network> network = slot->network.lock();
    if (!network) {
        network = std::make_shared<Network>(config, Network::Keep::kPacked, placement);
        slot->network = network;
    }
    return network;
}

} // namespace tvw
