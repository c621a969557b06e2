// SPDX-License-Identifier: LGPL-2.1-or-later
// Weights as kernels want them, made once for all plans of a network.
#pragma once

#include <map>
#include <memory>
#include <string>

namespace tvw::cpu {

class PackCache {
public:
    /// What was packed under this key, or what `pack` makes now: a std::shared_ptr<const T>. The
    /// key names the constant and everything that its packed form depends on.
    template<typename Pack>
    auto get(const std::string &key, const Pack &pack) -> decltype(pack()) {
        using Packed = typename decltype(pack())::element_type;
        std::shared_ptr<const void> &entry = packed_[key];
        if (!entry)
            entry = pack();
        return std::static_pointer_cast<Packed>(entry);
    }

private:
    std::map<std::string, std::shared_ptr<const void>> packed_;
};

} // namespace tvw::cpu
