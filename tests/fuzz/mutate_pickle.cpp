// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fuzz/mutate_pickle.h"

#include "checkpoint/pickle_machine.h"
#include "checkpoint/pickle_opcodes.h"
#include "fuzz/target.h"
#include "support/checkpoint_bytes.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tvw::fuzz {
namespace {

namespace op = test::op;

/// What follows an opcode, of the machine's and of some that it refuses.
struct Form {
    uint8_t opcode;
    uint8_t fixed; ///< bytes of a number
    bool counted;  ///< as many bytes follow as the number says
    uint8_t lines; ///< texts that end with a line feed
};
constexpr Form kForms[] = {
    {kOpBinFloat, 8, false, 0},
    {kOpBinInt, 4, false, 0},
    {kOpBinInt1, 1, false, 0},
    {kOpBinInt2, 2, false, 0},
    {kOpBinString, 4, true, 0},
    {kOpShortBinString, 1, true, 0},
    {kOpBinUnicode, 4, true, 0},
    {kOpGlobal, 0, false, 2},
    {kOpBinGet, 1, false, 0},
    {kOpLongBinGet, 4, false, 0},
    {kOpBinPut, 1, false, 0},
    {kOpLongBinPut, 4, false, 0},
    {kOpProto, 1, false, 0},
    {kOpLong1, 1, true, 0},
    {0x8b /* LONG4 */, 4, true, 0},
    {0x8c /* SHORT_BINUNICODE */, 1, true, 0},
    {0x8d /* BINUNICODE8 */, 8, true, 0},
    {0x95 /* FRAME */, 8, false, 0},
    {'I', 0, false, 1},
    {'i', 0, false, 2},
};
constexpr std::string_view kPlainOpcodes = "()NQR]abest}u.02\x85\x86\x87\x88\x89";

constexpr std::string_view kGlobals[] = {"collections\nOrderedDict\n",
                                         "collections\nCounter\n",
                                         "torch._utils\n_rebuild_tensor\n",
                                         "torch._utils\n_rebuild_tensor_v2\n",
                                         "torch._utils\n_rebuild_parameter\n",
                                         "torch._utils\n_rebuild_qtensor\n",
                                         "torch\nSize\n",
                                         "torch\nper_tensor_affine\n",
                                         "torch\nper_channel_affine\n",
                                         "torch\nfloat32\n",
                                         "torch\nqint8\n",
                                         "os\nsystem\n",
                                         "torch.nn.modules.linear\nLinear\n"};
constexpr std::string_view kTypes[] = {
    "FloatStorage", "HalfStorage",   "BFloat16Storage", "DoubleStorage", "LongStorage",
    "IntStorage",   "ShortStorage",  "CharStorage",     "ByteStorage",   "BoolStorage",
    "QInt8Storage", "QUInt8Storage", "QInt32Storage"};
constexpr std::string_view kTexts[] = {
    "0",        "1",          "w",       "model",    "state_dict",
    "module.w", "n_averaged", "storage", "cpu",      "little_endian",
    "",         "\xff",       "a\nb",    "_metadata"};

const Form *form_of(uint8_t opcode) {
    const auto *form = std::find_if(std::begin(kForms), std::end(kForms),
                                    [&](const Form &f) { return f.opcode == opcode; });
    return form != std::end(kForms) ? form : nullptr;
}

/// Of the first opcode with all that belongs to it; 0 where something is missing.
size_t opcode_size(std::string_view bytes) {
    const Form *form = form_of(uint8_t(bytes.front()));
    if (form == nullptr)
        return 1;
    size_t size = 1U + form->fixed;
    if (size > bytes.size())
        return 0;
    if (form->counted) {
        uint64_t count = 0;
        std::memcpy(&count, bytes.data() + 1, form->fixed);
        if (count > bytes.size() - size)
            return 0;
        size += count;
    }
    for (int line = 0; line < form->lines; ++line) {
        const size_t end = bytes.find('\n', size);
        if (end == std::string_view::npos)
            return 0;
        size = end + 1;
    }
    return size;
}

using Opcodes = std::vector<std::string>;

Opcodes split(std::string_view pickle) {
    Opcodes opcodes;
    while (!pickle.empty()) {
        const size_t size = opcode_size(pickle);
        opcodes.emplace_back(pickle.substr(0, size == 0 ? pickle.size() : size));
        pickle.remove_prefix(opcodes.back().size());
    }
    return opcodes;
}

std::string some_text(Random &random) {
    return op::text(std::string(random.pick(kTexts)));
}

std::string small_tuple(Random &random) {
    switch (random.below(4)) {
    case 0:
        return op::tuple({});
    case 1:
        return op::tuple({int64_t(random.below(5))});
    case 2:
        return random.one_in(8) ? op::tuple({1, 1, 1, 1, 1, 1, 1, 1, 1})
                                : op::tuple({int64_t(random.below(4)), int64_t(random.below(3))});
    default:
        return op::tuple({int64_t(random.number()), int64_t(random.below(3)), 1});
    }
}

/// Arguments of a tensor as far as its strides; most often they fit.
std::string view(Random &random, std::string type) {
    const auto numel = int64_t(random.below(9));
    std::string shape = op::tuple({numel});
    std::string strides = op::tuple({1});
    std::string offset = op::integer(0);
    if (random.one_in(4)) {
        shape = op::tuple({numel / 2, 2});
        strides = random.one_in(2) ? op::tuple({2, 1}) : op::tuple({1, numel / 2});
    } else if (random.one_in(8)) { // one element for as many as can be written
        shape = op::tuple({int64_t(random.number())});
        strides = op::tuple({0});
    } else if (random.one_in(4)) {
        shape = small_tuple(random);
        strides = small_tuple(random);
        offset = op::integer(int64_t(random.one_in(4) ? random.number() : random.below(3)));
    }
    const std::string part = "(" + op::text("p") + op::integer(int64_t(random.below(3))) +
                             op::integer(int64_t(random.below(5))) + "t";
    return op::storage(std::to_string(random.below(3)), numel, std::move(type),
                       random.one_in(8) ? part : "") +
           offset + shape + strides;
}

/// A quantized tensor of [channels, 2].
std::string quantized(Random &random) {
    const auto channels = int64_t(random.one_in(8) ? 40 : 1 + random.below(3));
    const std::string type =
        random.pick(std::array{"QInt8Storage", "QUInt8Storage", "QInt32Storage"});
    const std::string start = "ctorch._utils\n_rebuild_qtensor\n(" +
                              op::storage("q" + std::to_string(channels), 2 * channels, type) +
                              op::integer(0) + op::tuple({channels, 2}) + op::tuple({2, 1});
    const std::string scale = op::real(random.one_in(8) ? -1 : 0.5);
    const std::string zero = op::integer(int64_t(random.one_in(8) ? random.number() : 3));
    const std::string end = "t\x89NtR";
    if (random.one_in(2))
        return start + "(ctorch\nper_tensor_affine\n" + scale + zero + end;
    const auto per_channel = [&](const std::string &number, const char *stored) {
        if (random.one_in(2)) {
            return "ctorch._utils\n_rebuild_tensor_v2\n(" +
                   op::storage(stored + std::to_string(channels), channels, stored) +
                   op::integer(0) + op::tuple({channels}) + op::tuple({1}) + "\x89NtR";
        }
        std::string list = "](";
        for (int64_t i = random.one_in(8) ? 1 : 0; i < channels; ++i)
            list += number;
        return list + "e";
    };
    return start + "(ctorch\nper_channel_affine\n" +
           per_channel(scale, random.one_in(2) ? "FloatStorage" : "DoubleStorage") +
           per_channel(zero, random.one_in(2) ? "LongStorage" : "IntStorage") +
           op::integer(int64_t(random.below(8) / 6)) + end;
}

std::string some_opcode(Random &random) {
    switch (random.below(6)) {
    case 0:
        return std::string(1, random.pick(kPlainOpcodes));
    case 1:
        return op::integer(int64_t(random.number()));
    case 2:
        return some_text(random);
    case 3:
        return std::string(1, char(random.pick("qh"))) + char(random.below(4));
    case 4:
        return std::string(1, char(random.below(256)));
    default:
        return "c" + std::string(random.pick(kGlobals));
    }
}

/// Opcodes of a value that state dicts hold.
std::string some_value(Random &random) {
    const std::string type(random.pick(kTypes));
    const std::string hooks = "\x89N";
    switch (random.below(9)) {
    case 0:
    case 1:
        return "ctorch._utils\n_rebuild_tensor_v2\n(" + view(random, type) + hooks + "tR";
    case 2:
        return "ctorch._utils\n_rebuild_tensor\n(" + view(random, type) + "tR";
    case 3:
        return quantized(random);
    case 4:
        return "ctorch._utils\n_rebuild_tensor_v2\n(" + view(random, type) + hooks + "}tR";
    case 5:
        return "ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_tensor_v2\n(" +
               view(random, type) + hooks + "tR" + hooks + "tR";
    case 6: // a packed layer
        return "(" + quantized(random) + (random.one_in(2) ? "N" : some_value(random)) + "t";
    case 7:
        if (random.one_in(2)) // as Python 2 wrote it
            return "ccollections\nOrderedDict\n(](]" + some_text(random) + "a" +
                   some_opcode(random) + "aetR";
        return "ccollections\nOrderedDict\n)R" + some_text(random) + "K\1s";
    default:
        return "c" + std::string(random.pick(kGlobals));
    }
}

/// Another number, text or name in the same opcode.
void change_argument(std::string &opcode, Random &random) {
    const Form *form = form_of(uint8_t(opcode[0]));
    if (form == nullptr) {
        opcode = some_opcode(random);
    } else if (opcode[0] == kOpGlobal) {
        const std::string type(random.pick(kTypes));
        opcode =
            "c" + (random.one_in(2) ? "torch\n" + type + "\n" : std::string(random.pick(kGlobals)));
    } else if (form->counted && uint8_t(opcode[0]) != kOpLong1 && !random.one_in(8)) {
        opcode = some_text(random);
    } else {
        const bool is_long = uint8_t(opcode[0]) == kOpLong1;
        const size_t begin = std::min<size_t>(is_long ? 2 : 1, opcode.size()); // of the number
        const size_t size = std::min<size_t>(is_long ? 8 : form->fixed, opcode.size() - begin);
        uint64_t number = 0;
        std::memcpy(&number, opcode.data() + begin, size);
        // What is one too many goes past fewer checks than what is far too many.
        number = random.one_in(2) ? number + random.below(5) - 2 : random.number();
        if (is_long)
            opcode = op::integer(int64_t(number));
        else
            std::memcpy(opcode.data() + begin, &number, size);
    }
}

void change(Opcodes &opcodes, Random &random) {
    const size_t at = random.below(opcodes.size() + 1);
    const auto here = opcodes.begin() + ptrdiff_t(at);
    const size_t count = 1 + random.below(random.one_in(4) ? 24 : 3);
    const auto end = opcodes.begin() + ptrdiff_t(std::min(opcodes.size(), at + count));
    switch (random.below(8)) {
    case 0:
        opcodes.erase(here, end);
        break;
    case 1: { // the same again elsewhere
        const Opcodes copy(here, end);
        const size_t to = random.below(opcodes.size() + 1);
        opcodes.insert(opcodes.begin() + ptrdiff_t(to), copy.begin(), copy.end());
        break;
    }
    case 2:
        opcodes.insert(here, some_opcode(random));
        break;
    case 3: { // an entry of a dict, sometimes twice
        const std::string entry = some_text(random) + some_value(random) + "s";
        opcodes.insert(here, random.one_in(8) ? 2 : 1, entry);
        break;
    }
    case 4:
        opcodes.insert(here, some_value(random));
        break;
    case 5:
        if (here != opcodes.end())
            std::swap(*here, opcodes[random.below(opcodes.size())]);
        break;
    default:
        if (here != opcodes.end())
            change_argument(*here, random);
    }
}

/// A state dict of one or two values; most often it is sound.
std::string some_pickle(Random &random) {
    std::string opcodes = "}";
    for (size_t entries = 1 + random.below(2); entries > 0; --entries)
        opcodes += op::text(std::to_string(entries)) + some_value(random) + "s";
    return test::pickle(opcodes);
}

} // namespace

std::string mutate_pickle(const std::string &pickle, Random &random) {
    std::string text = pickle;
    if (random.one_in(16)) {
        mutate_bytes(text);
        return text;
    }
    // Most of what libFuzzer collects breaks at some place, and what comes after it is not seen.
    const bool anew = random.one_in(4);
    Opcodes opcodes = split(anew ? some_pickle(random) : text);
    for (size_t changes = 1 + random.below(anew ? 1 : 3); changes > 0; --changes)
        change(opcodes, random);
    text.clear();
    for (const std::string &opcode : opcodes)
        text += opcode;
    if (!random.one_in(16)) {
        if (!text.starts_with("\x80\x02"))
            text = "\x80\x02" + text;
        if (!text.ends_with('.'))
            text += '.';
    }
    return text;
}

size_t pickle_size(std::string_view bytes) {
    size_t size = 0;
    while (size < bytes.size()) {
        const bool stop = bytes[size] == kOpStop;
        const size_t step = opcode_size(bytes.substr(size));
        if (step == 0)
            return bytes.size();
        size += step;
        if (stop)
            break;
    }
    return size;
}

std::vector<NamedStorage> storages_of(const std::string &pickle) {
    constexpr size_t kLargestFile = 4096;
    static MemoryFile file;
    file.set(reinterpret_cast<const uint8_t *>(pickle.data()), pickle.size(), kLargestFile);
    const InputFile input(file.path(), std::max(kLargestFile, pickle.size()));
    const Source source(input);
    ByteReader reader(source, 0, pickle.size(), "too short");
    std::vector<NamedStorage> storages;
    const CheckpointLimits limits;
    try {
        for (const PickledStorage &storage : PickleMachine(reader, source, limits).run().storages) {
            // 1.0 as float32; small numbers of every other dtype, as far as it is not a bool.
            std::string bytes(storage.bytes, storage.dtype == DType::kBool ? '\1' : '\0');
            if (storage.dtype == DType::kFloat32) {
                for (size_t i = 0; i + 4 <= bytes.size(); i += 4)
                    bytes.replace(i, 4, test::float_bytes({1}));
            }
            storages.push_back({storage.key, storage.numel, bytes});
        }
    } catch (const Error &) {
        storages.clear();
    }
    return storages;
}

} // namespace tvw::fuzz
