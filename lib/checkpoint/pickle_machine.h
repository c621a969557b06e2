// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "checkpoint/byte_reader.h"
#include "checkpoint/pickle.h"
#include "checkpoint/rebuild.h"

#include <tvw/checkpoint.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tvw {

/// Runs one pickle stream of protocol 2 with the opcodes that torch.save writes, up to and
/// including STOP. It only builds values: there is nothing in it that could import or call.
class PickleMachine {
public:
    PickleMachine(ByteReader &reader, const Source &source, const CheckpointLimits &limits);

    /// Errors: kCorruptFile, kNotSupported, both with the offset of the opcode.
    Pickle run();

private:
    void require_protocol();
    /// Each obeys the opcodes of one kind and says whether `opcode` was one of them.
    bool scalar(uint8_t opcode);
    bool container(uint8_t opcode);
    bool reference(uint8_t opcode);

    void push(PickleValue value);
    void push_string(uint64_t length);
    void push_long(size_t length);
    void push_float();
    void push_global();
    void push_tuple(std::vector<PickleValue> items);
    void set_items(const std::vector<PickleValue> &items);
    void append_items(const std::vector<PickleValue> &items);
    void build();
    void put(uint64_t slot);
    void get(uint64_t slot);

    PickleValue &top(PickleType type);
    PickleValue pop();
    std::vector<PickleValue> pop_many(size_t count);
    std::vector<PickleValue> pop_mark();
    size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
    std::string subject(uint8_t opcode) const;

    ByteReader &reader_;
    const Source &source_;
    const CheckpointLimits &limits_;
    Pickle pickle_;
    Rebuilder rebuilder_;
    std::vector<PickleValue> stack_;
    std::vector<size_t> marks_; ///< heights of the stack
    std::vector<std::optional<PickleValue>> memo_;
    uint64_t pushed_ = 0;
    uint64_t at_ = 0; ///< of the current opcode
};

} // namespace tvw
