// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

namespace tvw::fuzz {

/// Choices of a mutator: the same for the same seed, as libFuzzer wants them.
class Random {
public:
    explicit Random(unsigned seed) : engine_(seed) {}

    size_t below(size_t bound) { return bound == 0 ? 0 : size_t(engine_()) % bound; }
    bool one_in(size_t count) { return below(count) == 0; }
    template<typename List>
    auto pick(const List &list) {
        return list[below(std::size(list))];
    }

    /// Numbers at which arithmetic goes wrong, more often than others.
    uint64_t number() {
        const uint64_t power = uint64_t{1} << below(64);
        switch (below(6)) {
        case 0:
            return below(10);
        case 1:
            return power;
        case 2:
            return power - 1;
        case 3:
            return 0 - power;
        case 4:
            return below(300);
        default:
            return engine_();
        }
    }

private:
    std::mt19937_64 engine_;
};

/// libFuzzer's own mutations, on a text that may grow a little.
inline void mutate_bytes(std::string &text) {
    constexpr size_t kGrowth = 64;
    const size_t size = text.size();
    text.resize(size + kGrowth);
    text.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(text.data()), size, text.size()));
}

/// What LLVMFuzzerCustomMutator does around a `change` of a text.
template<typename Change>
size_t mutate_input(uint8_t *data, size_t size, size_t max_size, unsigned seed, Change change) {
    Random random(seed);
    const std::string input(reinterpret_cast<const char *>(data), size);
    const std::string output = random.one_in(16) ? std::string() : change(input, random);
    if (output.empty() || output.size() > max_size || output == input)
        return LLVMFuzzerMutate(data, size, max_size);
    output.copy(reinterpret_cast<char *>(data), output.size());
    return output.size();
}

} // namespace tvw::fuzz
