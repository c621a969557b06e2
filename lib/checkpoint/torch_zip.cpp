// SPDX-License-Identifier: LGPL-2.1-or-later
#include "checkpoint/torch_zip.h"

#include "base/text.h"
#include "checkpoint/assemble.h"
#include "checkpoint/pickle_machine.h"
#include "checkpoint/zip_content.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <string>
#include <utility>

namespace tvw {
namespace {

/// The archive with the folder that all its entries share.
class TorchZip {
public:
    TorchZip(const Source &source, ZipArchive &archive);

    /// Checks the entries that say what kind of archive this is.
    void check_kind() const;
    Pickle read_pickle(const CheckpointLimits &limits) const;
    /// One entry for each storage of the pickle.
    std::vector<const ZipEntry *> find_storages(const Pickle &pickle) const;

private:
    const ZipEntry *find(std::string_view name) const {
        return archive_.find(prefix_ + std::string(name));
    }
    /// find(), open.
    const ZipEntry *open(std::string_view name) const {
        const ZipEntry *entry = find(name);
        return entry != nullptr ? &archive_.open(*entry) : nullptr;
    }
    std::string small_text(const ZipEntry &entry) const;

    const Source &source_;
    ZipArchive &archive_;
    std::string prefix_; ///< with the slash
};

TorchZip::TorchZip(const Source &source, ZipArchive &archive) : source_(source), archive_(archive) {
    if (archive.entries().empty())
        source.corrupt(0, "the zip archive is empty");
    const std::string &first = archive.entries().front().name;
    prefix_ = first.substr(0, first.find('/') + 1);
    for (const ZipEntry &entry : archive.entries()) {
        if (prefix_.empty() || !entry.name.starts_with(prefix_)) {
            source.unsupported(entry.at,
                               fmt::format("a zip archive, but not torch.save's: {} and {} are "
                                           "not in one folder",
                                           in_quotes(first), in_quotes(entry.name)));
        }
    }
}

std::string TorchZip::small_text(const ZipEntry &entry) const {
    constexpr uint64_t kLongest = 32; // of a number or a word
    if (entry.size > kLongest)
        source_.corrupt(entry.data, in_quotes(entry.name) + " is too long");
    std::string text(entry.size, '\0');
    read_entry(source_, entry, std::as_writable_bytes(std::span(text)));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
        text.pop_back();
    return text;
}

void TorchZip::check_kind() const {
    if (const ZipEntry *script = find("constants.pkl"); script != nullptr) {
        source_.unsupported(script->at, "a TorchScript archive, which holds code; save the "
                                        "weights: torch.save(model.state_dict(), path)");
    }
    for (const ZipEntry &entry : archive_.entries()) {
        if (entry.method != kZipStored) {
            source_.unsupported(entry.at,
                                fmt::format("{} is compressed (method {}); torch.save stores",
                                            in_quotes(entry.name), entry.method));
        }
    }
    const ZipEntry *version = open("version");
    if (version == nullptr) {
        source_.corrupt(archive_.entries().front().at,
                        "the zip has no entry " + in_quotes(prefix_ + "version"));
    }
    constexpr int kOldest = 1;
    constexpr int kNewest = 10; // PyTorch 2.15 writes 3 and reads up to this
    const std::string text = small_text(*version);
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < kOldest ||
        number > kNewest)
        source_.unsupported(version->data, "file format version " + in_quotes(text));
    if (const ZipEntry *order = open("byteorder"); order != nullptr) {
        const std::string name = small_text(*order);
        if (name != "little") {
            source_.unsupported(order->data, "byte order " + in_quotes(name) +
                                                 "; only little-endian files are read");
        }
    }
}

Pickle TorchZip::read_pickle(const CheckpointLimits &limits) const {
    const ZipEntry *entry = open("data.pkl");
    if (entry == nullptr) {
        source_.unsupported(archive_.entries().front().at,
                            "a zip archive, but not torch.save's: no " +
                                in_quotes(prefix_ + "data.pkl"));
    }
    if (entry->size > limits.pickle_bytes) {
        source_.unsupported(entry->at,
                            fmt::format("{} of {} bytes, more than the limit of {}",
                                        in_quotes(entry->name), entry->size, limits.pickle_bytes));
    }
    verify_crc(source_, *entry);
    ByteReader reader(source_, entry->data, entry->data + entry->size,
                      in_quotes(entry->name) + " ends in the middle");
    Pickle pickle = PickleMachine(reader, source_, limits).run();
    if (reader.remaining() != 0)
        source_.corrupt(reader.position(), in_quotes(entry->name) + " goes on after its end");
    return pickle;
}

std::vector<const ZipEntry *> TorchZip::find_storages(const Pickle &pickle) const {
    std::vector<const ZipEntry *> entries;
    for (const PickledStorage &storage : pickle.storages) {
        const ZipEntry *entry = find("data/" + storage.key);
        if (entry == nullptr) {
            source_.corrupt(storage.at,
                            "the zip has no entry for storage " + in_quotes(storage.key));
        }
        if (entry->size != storage.bytes) {
            source_.corrupt(entry->at, fmt::format("storage {} has {} bytes, expected {}×{}",
                                                   in_quotes(storage.key), entry->size,
                                                   storage.numel, dtype_name(storage.dtype)));
        }
        entries.push_back(entry);
    }
    return entries;
}

} // namespace

Checkpoint read_torch_zip(const Source &source, ZipArchive &archive,
                          const CheckpointOptions &options) {
    const TorchZip zip(source, archive);
    zip.check_kind();
    const Pickle pickle = zip.read_pickle(options.limits);
    const std::vector<const ZipEntry *> entries = zip.find_storages(pickle);
    Checkpoint checkpoint = assemble(source, pickle, options, [&](size_t index) {
        const ZipEntry &entry = archive.open(*entries[index]);
        auto storage = std::make_shared<Storage>(entry.size);
        read_entry(source, entry, {storage->data(), storage->size()});
        return storage;
    });
    archive.open_rest();
    return checkpoint;
}

} // namespace tvw
