// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>

namespace tvw {

/// All opcodes that are obeyed; the names are those of Python's pickletools.
enum PickleOpcode : uint8_t {
    kOpMark = '(',
    kOpStop = '.',
    kOpEmptyTuple = ')',
    kOpBinFloat = 'G',
    kOpBinInt = 'J',
    kOpBinInt1 = 'K',
    kOpBinInt2 = 'M',
    kOpNone = 'N',
    kOpBinPersId = 'Q',
    kOpReduce = 'R',
    kOpBinString = 'T',
    kOpShortBinString = 'U',
    kOpBinUnicode = 'X',
    kOpEmptyList = ']',
    kOpAppend = 'a',
    kOpBuild = 'b',
    kOpGlobal = 'c',
    kOpAppends = 'e',
    kOpBinGet = 'h',
    kOpLongBinGet = 'j',
    kOpBinPut = 'q',
    kOpLongBinPut = 'r',
    kOpSetItem = 's',
    kOpTuple = 't',
    kOpSetItems = 'u',
    kOpEmptyDict = '}',
    kOpProto = 0x80,
    kOpTuple1 = 0x85,
    kOpTuple2 = 0x86,
    kOpTuple3 = 0x87,
    kOpNewTrue = 0x88,
    kOpNewFalse = 0x89,
    kOpLong1 = 0x8a,
};

} // namespace tvw
