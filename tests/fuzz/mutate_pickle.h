// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "fuzz/random.h"

#include <string>
#include <string_view>
#include <vector>

namespace tvw::fuzz {

/// Changes a pickle by whole opcodes, most often such that it still is one.
std::string mutate_pickle(const std::string &pickle, Random &random);

/// The length of the pickle that `bytes` begin with, STOP included; all of them if it has none.
size_t pickle_size(std::string_view bytes);

/// A storage that a pickle names, with as many bytes as it must have.
struct NamedStorage {
    std::string key;
    uint64_t numel;
    std::string bytes;
};

/// The storages of a pickle, filled with numbers that suit its dtypes; none where it is refused.
std::vector<NamedStorage> storages_of(const std::string &pickle);

} // namespace tvw::fuzz
