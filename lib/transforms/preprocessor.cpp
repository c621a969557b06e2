// SPDX-License-Identifier: LGPL-2.1-or-later
// Frame to model input: rows of RGB, horizontal pass, vertical pass, 8-bit levels, normalised
// floats.
#include <tvw/error.h>
#include <tvw/transforms.h>

#include "transforms/geometry.h"
#include "transforms/parameters.h"
#include "transforms/pixel.h"
#include "transforms/resample_table.h"
#include "transforms/rgb_rows.h"
#include "transforms/row_kernels.h"
#include "transforms/source.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace tvw {
namespace {

/// `region` or all of the frame.
Region area_of(const FrameView &frame, const std::optional<Region> &region) {
    if (!region)
        return {0, 0, frame.width, frame.height};
    const Region &r = *region;
    if (r.x < 0 || r.y < 0 || r.width < 1 || r.height < 1 || r.width > frame.width - r.x ||
        r.height > frame.height - r.y) {
        throw Error(ErrorKind::kInvalidArgument,
                    "region " + std::to_string(r.width) + "×" + std::to_string(r.height) + " at (" +
                        std::to_string(r.x) + ", " + std::to_string(r.y) +
                        ") is empty or not inside the frame of " + std::to_string(frame.width) +
                        "×" + std::to_string(frame.height));
    }
    return r;
}

/// One axis from source samples to the kept, resized ones and their place in the crop.
struct Axis {
    ResampleTable table;
    CropSpan span;
};

/// What becomes of each level of each channel.
template<typename T>
using LevelTable = std::array<std::array<T, 256>, kChannels>;

} // namespace

class Preprocessor::Impl {
public:
    explicit Impl(ImageClassification preset);

    Shape shape() const { return {kChannels, crop_.height, crop_.width}; }
    const LevelTable<float> &normalized() const { return normalized_; }
    const LevelTable<uint8_t> &unchanged() const { return unchanged_; }

    /// Resizes, crops and pads; each level goes through `table` on its way to `dst`.
    template<typename T>
    void run(const FrameView &src, const std::optional<Region> &region, const LevelTable<T> &table,
             std::span<T> dst);

private:
    void plan(Size src);
    void read_block(const RgbRows &rows, int64_t first);
    void resize_row(const RgbRows &rows, size_t y, int64_t &ready);

    ImageClassification preset_;
    Size crop_;
    LevelTable<float> normalized_{};
    LevelTable<uint8_t> unchanged_{};
    const RowKernels &kernels_ = row_kernels();

    // For the last source size.
    Size src_;
    Axis x_;
    Axis y_;
    size_t row_floats_ = 0; ///< one resized row, all channels
    size_t ring_rows_ = 0;
    std::vector<uint8_t> scratch_;    ///< kBlockRows rows of RGB
    std::vector<float> block_;        ///< the same, interleaved
    std::vector<float> ring_;         ///< horizontally resized rows that are still needed
    std::vector<const float *> taps_; ///< rows of the ring under the vertical weights
    std::vector<uint8_t> levels_;     ///< one finished row
};

Preprocessor::Impl::Impl(ImageClassification preset) : preset_(std::move(preset)) {
    constexpr const char *kName = "ImageClassification";
    check_sides(kName, "crop_size", preset_.crop_size);
    check_sides(kName, "resize_size", preset_.resize_size);
    crop_ = {preset_.crop_size.front(), preset_.crop_size.back()};
    const auto [mean, std] = make_normalization(kName, preset_.mean, preset_.std);
    for (size_t c = 0; c < kChannels; ++c) {
        for (size_t level = 0; level < 256; ++level) {
            normalized_[c][level] = pixel::normalized(uint8_t(level), mean[c], std[c]);
            unchanged_[c][level] = uint8_t(level);
        }
    }
}

void Preprocessor::Impl::plan(Size src) {
    if (src == src_)
        return;
    src_ = {}; // should an allocation below fail, nothing half made is used
    const Size resized = resized_size(src, preset_.resize_size);
    const auto axis = [this](int64_t from, int64_t to, int64_t crop) {
        const CropSpan span = center_crop(to, crop);
        return Axis{make_resample_table(preset_.interpolation, preset_.antialias.value_or(false),
                                        from, to, span.first, span.count),
                    span};
    };
    x_ = axis(src.width, resized.width, crop_.width);
    y_ = axis(src.height, resized.height, crop_.height);

    const auto columns = size_t(x_.table.end - x_.table.begin);
    row_floats_ = kChannels * size_t(x_.span.count);
    const auto taps = size_t(y_.table.taps);
    ring_rows_ = (taps + 2 * kBlockRows - 2) / kBlockRows * kBlockRows;
    scratch_.resize(kBlockRows * kChannels * columns);
    block_.resize(kBlockRows * kChannels * columns);
    ring_.resize(ring_rows_ * row_floats_);
    taps_.resize(taps);
    levels_.resize(row_floats_);
    src_ = src;
}

/// Resizes the block of rows from `first` (of those that the crop needs) into the ring.
void Preprocessor::Impl::read_block(const RgbRows &rows, int64_t first) {
    const int64_t last = y_.table.end - y_.table.begin - 1;
    const size_t row_bytes = scratch_.size() / kBlockRows;
    std::array<const uint8_t *, kBlockRows> src{};
    for (size_t r = 0; r < kBlockRows; ++r) {
        // Below the last row it stands in for those that do not exist; nothing reads them.
        src[r] = rows.read(int(std::min(first + int64_t(r), last)), &scratch_[r * row_bytes]);
    }
    kernels_.pack(src.data(), row_bytes, block_.data());
    kernels_.horizontal(x_.table, block_.data(), &ring_[size_t(first) % ring_rows_ * row_floats_],
                        row_floats_);
}

/// Resizes to row `y` of those that the crop keeps: planar RGB in levels_.
void Preprocessor::Impl::resize_row(const RgbRows &rows, size_t y, int64_t &ready) {
    const ResampleWindow &window = y_.table.windows[y];
    for (; ready < window.first + window.count; ready += kBlockRows)
        read_block(rows, ready);
    for (size_t k = 0; k < size_t(window.count); ++k)
        taps_[k] = &ring_[(size_t(window.first) + k) % ring_rows_ * row_floats_];
    kernels_.vertical(window, &y_.table.weights[y * taps_.size()], taps_.data(), row_floats_,
                      levels_.data());
}

template<typename T>
void Preprocessor::Impl::run(const FrameView &src, const std::optional<Region> &region,
                             const LevelTable<T> &table, std::span<T> dst) {
    const auto plane = size_t(crop_.height * crop_.width);
    if (dst.size() != kChannels * plane) {
        throw Error(ErrorKind::kInvalidArgument, "preprocessing makes " + shape_text(shape()) +
                                                     " values, but the destination takes " +
                                                     std::to_string(dst.size()));
    }
    const pixel::Source source = make_source(src);
    const Region area = area_of(src, region);
    plan({area.height, area.width});
    if (x_.span.count < crop_.width || y_.span.count < crop_.height) {
        for (size_t c = 0; c < kChannels; ++c)
            std::fill_n(&dst[c * plane], plane, table[c][0]);
    }
    const RgbRows rows(source,
                       {area.x + int(x_.table.begin), area.y + int(y_.table.begin),
                        int(x_.table.end - x_.table.begin), int(y_.table.end - y_.table.begin)});
    const auto width = size_t(x_.span.count);
    int64_t ready = 0;
    for (size_t y = 0; y < size_t(y_.span.count); ++y) {
        resize_row(rows, y, ready);
        const size_t start =
            (size_t(y_.span.before) + y) * size_t(crop_.width) + size_t(x_.span.before);
        for (size_t c = 0; c < kChannels; ++c) {
            std::transform(&levels_[c * width], &levels_[c * width] + width,
                           &dst[c * plane + start],
                           [&map = table[c]](uint8_t level) { return map[level]; });
        }
    }
}

Preprocessor::Preprocessor(ImageClassification preset)
    : impl_(std::make_unique<Impl>(std::move(preset))) {}
Preprocessor::~Preprocessor() = default;
Preprocessor::Preprocessor(Preprocessor &&) noexcept = default;
Preprocessor &Preprocessor::operator=(Preprocessor &&) noexcept = default;

Shape Preprocessor::output_shape() const {
    return impl_->shape();
}

void Preprocessor::run(const FrameView &src, std::span<float> dst, std::optional<Region> region) {
    impl_->run(src, region, impl_->normalized(), dst);
}

void Preprocessor::run_uint8(const FrameView &src, std::span<uint8_t> dst,
                             std::optional<Region> region) {
    impl_->run(src, region, impl_->unchanged(), dst);
}

} // namespace tvw
