// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/globals.h"

#include "base/text.h"
#include "checkpoint/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

namespace tvw {
namespace {

constexpr GlobalEntry kGlobals[] = {
    {"collections", "OrderedDict", Global::kOrderedDict},
    {"collections", "Counter", Global::kCounter}, // milestones of a MultiStepLR
    {"torch._utils", "_rebuild_tensor", Global::kRebuildTensor},
    {"torch._utils", "_rebuild_tensor_v2", Global::kRebuildTensorV2},
    {"torch._utils", "_rebuild_parameter", Global::kRebuildParameter},
    {"torch._utils", "_rebuild_qtensor", Global::kRebuildQTensor},
    {"torch", "Size", Global::kSize},
    {"torch", "per_tensor_affine", Global::kPerTensorAffine},
    {"torch", "per_channel_affine", Global::kPerChannelAffine},
    {"torch", "FloatStorage", Global::kStorageType, DType::kFloat32},
    {"torch", "HalfStorage", Global::kStorageType, DType::kFloat16},
    {"torch", "BFloat16Storage", Global::kStorageType, DType::kBFloat16},
    {"torch", "DoubleStorage", Global::kStorageType, DType::kFloat64},
    {"torch", "LongStorage", Global::kStorageType, DType::kInt64},
    {"torch", "IntStorage", Global::kStorageType, DType::kInt32},
    {"torch", "ShortStorage", Global::kStorageType, DType::kInt16},
    {"torch", "CharStorage", Global::kStorageType, DType::kInt8},
    {"torch", "ByteStorage", Global::kStorageType, DType::kUInt8},
    {"torch", "BoolStorage", Global::kStorageType, DType::kBool},
    {"torch", "QInt8Storage", Global::kStorageType, DType::kQInt8},
    {"torch", "QUInt8Storage", Global::kStorageType, DType::kQUInt8},
    {"torch", "QInt32Storage", Global::kStorageType, DType::kQInt32},
    {"torch", "float32", Global::kDType, DType::kFloat32},
    {"torch", "float16", Global::kDType, DType::kFloat16},
    {"torch", "bfloat16", Global::kDType, DType::kBFloat16},
    {"torch", "float64", Global::kDType, DType::kFloat64},
    {"torch", "int64", Global::kDType, DType::kInt64},
    {"torch", "int32", Global::kDType, DType::kInt32},
    {"torch", "int16", Global::kDType, DType::kInt16},
    {"torch", "int8", Global::kDType, DType::kInt8},
    {"torch", "uint8", Global::kDType, DType::kUInt8},
    {"torch", "bool", Global::kDType, DType::kBool},
    {"torch", "qint8", Global::kDType, DType::kQInt8},
    {"torch", "quint8", Global::kDType, DType::kQUInt8},
    {"torch", "qint32", Global::kDType, DType::kQInt32},
};

/// Modules whose classes stand in a file that was made by saving a whole network.
bool is_network_module(std::string_view module) {
    constexpr std::string_view kPrefixes[] = {"torch.nn.", "torch.ao.nn.", "torchvision.models.",
                                              "torch.fx.", "__main__",     "__torch__"};
    return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                       [&](std::string_view prefix) { return module.starts_with(prefix); });
}

} // namespace

size_t find_global(std::string_view module, std::string_view name) {
    const auto *entry =
        std::find_if(std::begin(kGlobals), std::end(kGlobals),
                     [&](const GlobalEntry &e) { return e.module == module && e.name == name; });
    if (entry != std::end(kGlobals))
        return size_t(entry - std::begin(kGlobals));
    const std::string full = in_quotes(fmt::format("{}.{}", module, name));
    if (is_network_module(module)) {
        refuse_unsupported(full + " is code: the file holds a whole network. In Python, save its "
                                  "weights: torch.save(model.state_dict(), path)");
    }
    refuse_unsupported(full + " is not among the names that a state dict needs; nothing was "
                              "executed. In Python, save the weights alone: "
                              "torch.save(model.state_dict(), path)");
}

const GlobalEntry &global_entry(size_t index) {
    return kGlobals[index];
}

} // namespace tvw
