// SPDX-License-Identifier: LGPL-2.1-or-later
// Frame to model input: resized rows of 8-bit levels, put into place as normalised floats.
#include <tvw/error.h>
#include <tvw/transforms.h>

#include "transforms/frame_resize.h"
#include "transforms/recipe.h"
#include "transforms/row_kernels.h"
#include "transforms/source.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tvw {
namespace {

/// Planes of a tensor, `channel` values apart.
template<typename T>
struct Planes {
    T *data;
    size_t channel;
};

/// Rows [begin, end) of an image.
struct Rows {
    int64_t begin;
    int64_t end;
};

/// Those of one of `parts` parts.
Rows rows_of_part(int64_t height, int part, int parts) {
    return {height * part / parts, height * (part + 1) / parts};
}

/// The part of one axis of a crop that lies in `rows` of the output.
CropSpan within(const CropSpan &span, const Rows &rows) {
    const int64_t begin = std::max(span.before, rows.begin);
    const int64_t end = std::min(span.before + span.count, rows.end);
    return {span.first + begin - span.before, std::max<int64_t>(end - begin, 0), begin};
}

/// How levels become a model's values.
class Normalized {
public:
    explicit Normalized(const Normalization &normalization) : normalization_(normalization) {}
    void operator()(const uint8_t *levels, size_t count, size_t c, float *dst) const {
        normalize_levels(levels, count, {normalization_.mean[c], normalization_.std[c]}, dst);
    }

private:
    const Normalization &normalization_;
};

/// Levels as they are.
struct Unchanged {
    void operator()(const uint8_t *levels, size_t count, size_t, uint8_t *dst) const {
        std::copy_n(levels, count, dst);
    }
};

[[noreturn]] void refuse_room(const Shape &shape, size_t room) {
    throw Error(ErrorKind::kInvalidArgument, "preprocessing makes " + shape_text(shape) +
                                                 " values, but the destination takes " +
                                                 std::to_string(room));
}

} // namespace

class Preprocessor::Impl {
public:
    Impl(const Transforms &preset, PreprocessMode mode)
        : recipe_(make_recipe(preset)), resize_(recipe_, mode) {}

    const Recipe &recipe() const { return recipe_; }
    Shape shape(int width, int height) const {
        const Size output = place(recipe_, {height, width}).output;
        return {kChannels, output.height, output.width};
    }

    void run(const FrameView &src, std::span<float> dst, const std::optional<Region> &region,
             int part, int parts) {
        run_one(src, region, Normalized(recipe_.normalization), dst, part, parts);
    }
    void run_uint8(const FrameView &src, std::span<uint8_t> dst,
                   const std::optional<Region> &region) {
        run_one(src, region, Unchanged(), dst, 0, 1);
    }
    void run_clip(std::span<const FrameView> frames, std::span<float> dst,
                  const std::optional<Region> &region);

private:
    template<typename Finish, typename T>
    void run_one(const FrameView &src, const std::optional<Region> &region, const Finish &finish,
                 std::span<T> dst, int part, int parts);
    template<typename Finish, typename T>
    void write(const FrameView &src, const Region &area, const Finish &finish, const Rows &rows,
               Planes<T> dst);

    Recipe recipe_;
    FrameResize resize_;
};

/// Resizes, crops and pads; rows of levels go through `finish` on their way to `dst`.
template<typename Finish, typename T>
void Preprocessor::Impl::write(const FrameView &src, const Region &area, const Finish &finish,
                               const Rows &rows, Planes<T> dst) {
    if (src.gpu)
        throw Error(ErrorKind::kInvalidArgument,
                    "the frame lies in the memory of cuda:" + std::to_string(src.gpu->index) +
                        ", where the CPU cannot read it");
    PicturePlacement placement = place(recipe_, {area.height, area.width});
    placement.y = within(placement.y, rows);
    const auto &[resized, x, y, output] = placement;
    if (x.count < output.width || y.count < rows.end - rows.begin) {
        for (size_t c = 0; c < kChannels; ++c) {
            T black;
            const uint8_t level = 0;
            finish(&level, 1, c, &black);
            std::fill_n(dst.data + c * dst.channel + rows.begin * output.width,
                        output.width * (rows.end - rows.begin), black);
        }
    }
    if (y.count == 0)
        return;
    resize_.start(make_source(src), area, placement);
    const auto columns = size_t(x.count);
    const size_t source_channel = resize_.channels() == 1 ? 0 : columns;
    for (int64_t row = 0; row < y.count; ++row) {
        const uint8_t *levels = resize_.row(size_t(row));
        T *first = dst.data + (y.before + row) * output.width + x.before;
        for (size_t c = 0; c < kChannels; ++c)
            finish(levels + c * source_channel, columns, c, first + c * dst.channel);
    }
}

template<typename Finish, typename T>
void Preprocessor::Impl::run_one(const FrameView &src, const std::optional<Region> &region,
                                 const Finish &finish, std::span<T> dst, int part, int parts) {
    const Region area = area_of(src, region);
    make_source(src); // tells of an empty frame first
    const Size size = place(recipe_, {area.height, area.width}).output;
    const auto plane = size_t(size.height * size.width);
    if (dst.size() != kChannels * plane) // nothing is allocated otherwise
        refuse_room(shape(area.width, area.height), dst.size());
    write(src, area, finish, rows_of_part(size.height, part, parts), Planes<T>{dst.data(), plane});
}

void Preprocessor::Impl::run_clip(std::span<const FrameView> frames, std::span<float> dst,
                                  const std::optional<Region> &region) {
    if (frames.empty())
        throw Error(ErrorKind::kInvalidArgument, "a clip has at least one frame");
    const Region area = area_of(frames[0], region);
    Shape result = shape(area.width, area.height);
    const auto plane = size_t(result[1] * result[2]);
    result.insert(result.begin() + 1, int64_t(frames.size()));
    if (dst.size() != size_t(numel(result)))
        refuse_room(result, dst.size());
    for (size_t t = 0; t < frames.size(); ++t) {
        if (frames[t].width != frames[0].width || frames[t].height != frames[0].height) {
            throw Error(ErrorKind::kInvalidArgument, "frame " + std::to_string(t) +
                                                         " of the clip has another size than its "
                                                         "first");
        }
        write(frames[t], area, Normalized(recipe_.normalization), {0, result[2]},
              Planes<float>{dst.data() + t * plane, plane * frames.size()});
    }
}

Preprocessor::Preprocessor(const Transforms &preset, PreprocessMode mode)
    : impl_(std::make_unique<Impl>(preset, mode)) {}
Preprocessor::~Preprocessor() = default;
Preprocessor::Preprocessor(Preprocessor &&) noexcept = default;
Preprocessor &Preprocessor::operator=(Preprocessor &&) noexcept = default;

Shape Preprocessor::output_shape(int width, int height) const {
    if (std::min(width, height) < 1)
        throw Error(ErrorKind::kInvalidArgument, "a frame has at least one pixel");
    return impl_->shape(width, height);
}

Shape Preprocessor::output_shape() const {
    if (impl_->recipe().crop.empty()) {
        throw Error(ErrorKind::kInvalidArgument, std::string(impl_->recipe().preset) +
                                                     " makes another size of each size of frame");
    }
    return impl_->shape(1, 1);
}

void Preprocessor::run(const FrameView &src, std::span<float> dst, std::optional<Region> region) {
    impl_->run(src, dst, region, 0, 1);
}

void Preprocessor::run_part(const FrameView &src, std::span<float> dst,
                            std::optional<Region> region, int part, int parts) {
    if (part < 0 || part >= parts)
        throw Error(ErrorKind::kInvalidArgument,
                    "there is no part " + std::to_string(part) + " of " + std::to_string(parts));
    impl_->run(src, dst, region, part, parts);
}

void Preprocessor::run_clip(std::span<const FrameView> frames, std::span<float> dst,
                            std::optional<Region> region) {
    impl_->run_clip(frames, dst, region);
}

void Preprocessor::run_uint8(const FrameView &src, std::span<uint8_t> dst,
                             std::optional<Region> region) {
    impl_->run_uint8(src, dst, region);
}

} // namespace tvw
