// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/pickle_machine.h"

#include "base/text.h"
#include "checkpoint/globals.h"
#include "checkpoint/pickle_opcodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tvw {

PickleMachine::PickleMachine(ByteReader &reader, const Source &source,
                             const CheckpointLimits &limits)
    : reader_(reader),
      source_(source),
      limits_(limits),
      rebuilder_(pickle_, limits, source.size()) {
    pickle_.depth_limit = limits.depth;
}

Pickle PickleMachine::run() {
    require_protocol();
    for (;;) {
        at_ = reader_.position();
        const auto opcode = reader_.number<uint8_t>();
        if (opcode == kOpStop)
            break;
        try {
            if (!scalar(opcode) && !container(opcode) && !reference(opcode))
                refuse("this opcode is not used by state dicts");
        } catch (const PickleRefusal &refusal) {
            source_.fail(refusal.kind, at_, subject(opcode) + refusal.what);
        }
    }
    if (stack_.size() != 1 || !marks_.empty()) {
        source_.corrupt(at_, fmt::format("the pickle stops with {} values and {} open marks",
                                         stack_.size(), marks_.size()));
    }
    pickle_.top = stack_[0];
    return std::move(pickle_);
}

void PickleMachine::require_protocol() {
    const uint64_t at = reader_.position();
    if (reader_.number<uint8_t>() != kOpProto)
        source_.corrupt(at, "a pickle must begin here");
    const auto protocol = reader_.number<uint8_t>();
    if (protocol != 2) {
        source_.unsupported(at, fmt::format("pickle protocol {}; only 2 is read, which torch.save "
                                            "uses by default",
                                            protocol));
    }
}

/// The name under which a tensor is about to be stored is the nearest string below it.
std::string PickleMachine::subject(uint8_t opcode) const {
    if (opcode == kOpReduce || opcode == kOpBinPersId) {
        const auto name = std::find_if(stack_.rbegin(), stack_.rend(), [](const PickleValue &v) {
            return v.type == PickleType::kString;
        });
        if (name != stack_.rend())
            return in_quotes(pickle_.string(*name)) + ": ";
    }
    if (opcode == kOpGlobal)
        return "";
    const bool printable = opcode > 0x20 && opcode < 0x7f;
    return printable ? fmt::format("opcode '{}': ", char(opcode))
                     : fmt::format("opcode 0x{:02x}: ", opcode);
}

bool PickleMachine::scalar(uint8_t opcode) {
    switch (opcode) {
    case kOpNone:
        push({});
        return true;
    case kOpNewTrue:
    case kOpNewFalse:
        push({PickleType::kBool, opcode == kOpNewTrue});
        return true;
    case kOpBinInt:
        push({PickleType::kInt, reader_.number<int32_t>()});
        return true;
    case kOpBinInt1:
        push({PickleType::kInt, reader_.number<uint8_t>()});
        return true;
    case kOpBinInt2:
        push({PickleType::kInt, reader_.number<uint16_t>()});
        return true;
    case kOpLong1:
        push_long(reader_.number<uint8_t>());
        return true;
    case kOpBinFloat:
        push_float();
        return true;
    case kOpBinUnicode:
    case kOpBinString:
        push_string(reader_.number<uint32_t>());
        return true;
    case kOpShortBinString:
        push_string(reader_.number<uint8_t>());
        return true;
    default:
        return false;
    }
}

bool PickleMachine::container(uint8_t opcode) {
    switch (opcode) {
    case kOpMark:
        if (marks_.size() >= limits_.stack)
            refuse_unsupported(fmt::format("more marks than the limit of {}", limits_.stack));
        marks_.push_back(stack_.size());
        return true;
    case kOpEmptyDict:
        push(pickle_.add_container(PickleType::kDict, {}));
        return true;
    case kOpEmptyList:
        push(pickle_.add_container(PickleType::kList, {}));
        return true;
    case kOpEmptyTuple:
        push_tuple({});
        return true;
    case kOpTuple:
        push_tuple(pop_mark());
        return true;
    case kOpTuple1:
    case kOpTuple2:
    case kOpTuple3:
        push_tuple(pop_many(opcode - kOpTuple1 + 1U));
        return true;
    case kOpSetItem:
        set_items(pop_many(2));
        return true;
    case kOpSetItems:
        set_items(pop_mark());
        return true;
    case kOpAppend:
        append_items(pop_many(1));
        return true;
    case kOpAppends:
        append_items(pop_mark());
        return true;
    default:
        return false;
    }
}

bool PickleMachine::reference(uint8_t opcode) {
    switch (opcode) {
    case kOpBinPut:
        put(reader_.number<uint8_t>());
        return true;
    case kOpLongBinPut:
        put(reader_.number<uint32_t>());
        return true;
    case kOpBinGet:
        get(reader_.number<uint8_t>());
        return true;
    case kOpLongBinGet:
        get(reader_.number<uint32_t>());
        return true;
    case kOpGlobal:
        push_global();
        return true;
    case kOpBinPersId:
        push(rebuilder_.storage(pop()));
        return true;
    case kOpReduce: {
        const PickleValue arguments = pop();
        const PickleValue callee = pop();
        push(rebuilder_.call(callee, arguments));
        return true;
    }
    case kOpBuild:
        build();
        return true;
    default:
        return false;
    }
}

void PickleMachine::push(PickleValue value) {
    if (++pushed_ > limits_.items)
        refuse_unsupported(fmt::format("more items than the limit of {}", limits_.items));
    if (stack_.size() >= limits_.stack)
        refuse_unsupported(fmt::format("a stack above the limit of {}", limits_.stack));
    value.at = at_;
    stack_.push_back(value);
}

void PickleMachine::push_string(uint64_t length) {
    if (length > limits_.string_bytes) {
        refuse_unsupported(fmt::format("a string of {} bytes, more than the limit of {}", length,
                                       limits_.string_bytes));
    }
    const std::string_view text = reader_.take(length);
    if (!is_utf8(text))
        refuse("the string " + in_quotes(text) + " is not UTF-8");
    push(pickle_.add_string(std::string(text)));
}

void PickleMachine::push_long(size_t length) {
    int64_t number = 0;
    if (length > sizeof number)
        refuse_unsupported(fmt::format("an integer of {} bytes", length));
    const std::string_view bytes = reader_.take(length);
    std::memcpy(&number, bytes.data(), length);
    const bool negative = length > 0 && (uint8_t(bytes[length - 1]) & 0x80) != 0;
    if (negative && length < sizeof number)
        number -= int64_t{1} << (8 * length);
    push({PickleType::kInt, number});
}

/// The one big-endian number of a pickle.
void PickleMachine::push_float() {
    push({PickleType::kFloat, int64_t(__builtin_bswap64(reader_.number<uint64_t>()))});
}

void PickleMachine::push_global() {
    const std::string module(reader_.line(limits_.string_bytes));
    const std::string_view name = reader_.line(limits_.string_bytes);
    push({PickleType::kGlobal, int64_t(find_global(module, name))});
}

void PickleMachine::push_tuple(std::vector<PickleValue> items) {
    push(pickle_.add_container(PickleType::kTuple, std::move(items)));
}

void PickleMachine::set_items(const std::vector<PickleValue> &items) {
    if (items.size() % 2 != 0)
        refuse("a key without a value");
    pickle_.extend(top(PickleType::kDict), items);
}

void PickleMachine::append_items(const std::vector<PickleValue> &items) {
    pickle_.extend(top(PickleType::kList), items);
}

/// Attributes of an OrderedDict: `_metadata`, the modules' versions, which nothing here needs.
void PickleMachine::build() {
    if (pop().type != PickleType::kDict)
        refuse("an object's state is not a dict");
    top(PickleType::kDict);
}

void PickleMachine::put(uint64_t slot) {
    if (stack_.size() <= floor())
        refuse("nothing to remember");
    if (slot >= limits_.items)
        refuse_unsupported(fmt::format("memo slot {}, above the limit of {}", slot, limits_.items));
    // Picklers count up, and each slot takes them at least two bytes.
    if (slot > at_)
        refuse(fmt::format("memo slot {}, more than can have been filled so far", slot));
    if (slot >= memo_.size())
        memo_.resize(slot + 1);
    memo_[slot] = stack_.back();
}

void PickleMachine::get(uint64_t slot) {
    if (slot >= memo_.size() || !memo_[slot])
        refuse(fmt::format("memo slot {} is empty", slot));
    push(*memo_[slot]);
}

PickleValue &PickleMachine::top(PickleType type) {
    if (stack_.size() <= floor())
        refuse("the stack is empty");
    if (stack_.back().type != type) {
        refuse(
            fmt::format("applied to {}, not {}", type_text(stack_.back().type), type_text(type)));
    }
    return stack_.back();
}

PickleValue PickleMachine::pop() {
    if (stack_.size() <= floor())
        refuse("the stack is empty");
    const PickleValue value = stack_.back();
    stack_.pop_back();
    return value;
}

std::vector<PickleValue> PickleMachine::pop_many(size_t count) {
    if (stack_.size() - floor() < count)
        refuse("the stack is empty");
    const auto first = stack_.end() - ptrdiff_t(count);
    std::vector<PickleValue> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    return items;
}

std::vector<PickleValue> PickleMachine::pop_mark() {
    if (marks_.empty())
        refuse("there is no mark");
    std::vector<PickleValue> items = pop_many(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
}

} // namespace tvw
