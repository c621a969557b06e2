// SPDX-License-Identifier: LGPL-2.1-or-later
// Builds checkpoint files byte by byte, right or wrong, for the tests of the reader.
#pragma once

#include <tvw/checkpoint.h>
#include <tvw/error.h>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace tvw::test {

/// A file with these bytes that lives as long as the object.
class TemporaryFile {
public:
    explicit TemporaryFile(const std::string &bytes);
    ~TemporaryFile();
    TemporaryFile(const TemporaryFile &) = delete;
    TemporaryFile &operator=(const TemporaryFile &) = delete;

    const std::filesystem::path &path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// Deflate without a header.
std::string deflated(const std::string &bytes);

std::string float_bytes(std::initializer_list<float> values);

/// Loads a file of these bytes.
Checkpoint load_bytes(const std::string &bytes, const CheckpointOptions &options = {});
/// The same must fail with a message of one line that says `part`.
Error refusal(const std::string &bytes, const std::string &part = "",
              const CheckpointOptions &options = {});
/// The tensor under a key that must be there.
const HostTensor &tensor_of(const Checkpoint &checkpoint, const char *key);

/// Opcodes of single values.
namespace op {
std::string text(const std::string &text);
std::string integer(int64_t number);
std::string real(double number);
std::string tuple(std::initializer_list<int64_t> numbers);
std::string storage(const std::string &key, int64_t numel, const std::string &type,
                    const std::string &view = "");
} // namespace op

/// A call of _rebuild_tensor_v2, opcode by opcode.
struct TensorOps {
    std::string size = op::tuple({4});
    std::string stride = op::tuple({1});
    std::string offset = op::integer(0);
    int64_t numel = 4;
    std::string key = "0";
    std::string type = "FloatStorage";
    std::string view{};

    std::string text() const;
};

/// A stream of protocol 2 with these opcodes and STOP.
std::string pickle(const std::string &opcodes);
/// One that makes a dict of these (key, value) opcodes.
std::string dict_pickle(const std::vector<std::pair<std::string, std::string>> &items);

/// Writes stored entries the way torch.save does; the with_… change what is said of the last one.
class ZipWriter {
public:
    ZipWriter &add(const std::string &name, const std::string &bytes);
    ZipWriter &add_deflated(const std::string &name, const std::string &bytes);

    ZipWriter &with_local_name(const std::string &name);
    ZipWriter &with_crc(uint32_t crc);
    ZipWriter &with_flags(uint16_t flags);
    ZipWriter &with_method(uint16_t method);
    ZipWriter &with_size(uint32_t size);
    ZipWriter &with_header_at(uint32_t offset);
    /// Bytes behind the last entry.
    ZipWriter &gap(const std::string &bytes);
    /// What the end record says.
    ZipWriter &count(uint16_t entries);

    std::string finish() const;

private:
    struct Entry {
        std::string name;
        std::string local_name;
        std::string bytes; ///< as stored
        uint32_t crc;
        uint32_t packed_size;
        uint32_t size;
        uint16_t flags = 0;
        uint16_t method = 0;
        int64_t header_at = -1; ///< where it is
    };
    ZipWriter &add_entry(const std::string &name, const std::string &packed, uint32_t size,
                         uint32_t crc, uint16_t method);

    std::vector<Entry> entries_;
    std::string gap_;
    int count_ = -1; ///< as many as there are
};

/// What torch.save writes: data.pkl and a storage "0" of the floats 1, 2, 3, 4.
std::string torch_zip(const std::string &data_pkl);

/// A legacy file with {"w": a tensor of the floats 1, 2, 3, 4}, or with something wrong in it.
struct LegacyFile {
    std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    int64_t protocol = 1001;
    bool little_endian = true;
    std::string size = op::tuple({4});
    std::string view = "N";
    std::vector<std::string> keys = {"0"};
    int64_t count = 4;

    std::string bytes() const;
};

} // namespace tvw::test
