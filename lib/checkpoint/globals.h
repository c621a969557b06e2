// SPDX-License-Identifier: LGPL-2.1-or-later
// The only names that a pickle may mention. They are recognised, never looked up anywhere.
#pragma once

#include <tvw/tensor.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tvw {

enum class Global : uint8_t {
    kOrderedDict,
    kCounter,
    kRebuildTensor,
    kRebuildTensorV2,
    kRebuildParameter,
    kRebuildQTensor,
    kSize,
    kPerTensorAffine,
    kPerChannelAffine,
    kStorageType, ///< torch.FloatStorage …; with dtype
    kDType,       ///< torch.float32 …; with dtype
};

struct GlobalEntry {
    std::string_view module;
    std::string_view name;
    Global global;
    DType dtype = DType::kFloat32; ///< of kStorageType and kDType
};

/// Index of the entry. PickleRefusal for any other name: what it is and how to save the weights
/// without it.
size_t find_global(std::string_view module, std::string_view name);
const GlobalEntry &global_entry(size_t index);

} // namespace tvw
