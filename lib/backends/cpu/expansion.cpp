// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backends/cpu/layer.h"
#include "backends/cpu/lower.h"
#include "backends/cpu/parallel.h"
#include "graph/operations.h"

#include <algorithm>

namespace tvw::cpu {
namespace {

/// Channels that are convolved at a time: those of a panel, and a cache line of a pixel.
constexpr int64_t kSlice = kPanel;
/// Results below stay in the caches of two cores as they are.
constexpr int64_t kLeastFloats = int64_t{256} * 1024;
/// Units of work for each thread at least, since threads are not equally fast.
constexpr int64_t kUnitsOfThread = 8;

/// Some rows of the result and the expanded rows that they are made of.
struct Band {
    int64_t out_begin;
    int64_t out_end;
    int64_t begin;
    int64_t end;
    std::array<int64_t, 4> padding; ///< that is left outside of the rows

    Band(const Depthwise::Shape &shape, int64_t out_first, int64_t out_last)
        : out_begin(out_first), out_end(out_last), padding(shape.padding) {
        const int64_t extent = shape.dilation[0] * (shape.kernel[0] - 1) + 1;
        const int64_t first = out_begin * shape.stride[0] - shape.padding[0];
        const int64_t last = (out_end - 1) * shape.stride[0] - shape.padding[0] + extent;
        begin = std::max<int64_t>(first, 0);
        end = std::min(last, shape.height);
        padding[0] = begin - first;
        padding[2] = last - end;
    }
};

/// Bands of which `together` slices are expanded at a time, `groups` times for all channels.
std::vector<Band> cut_into_bands(const Depthwise::Shape &shape, int64_t together, int64_t groups,
                                 int64_t threads) {
    const int64_t out_height = out_size(shape.height, shape.kernel[0], shape.stride[0],
                                        shape.dilation[0], shape.padding[0], shape.padding[2]);
    const int64_t rows = kHalfCacheFloats / (shape.width * kSlice * together); // that are expanded
    const int64_t most =
        std::max((rows - shape.kernel[0] + shape.stride[0]) / shape.stride[0], int64_t{1});
    const int64_t units = shape.batch * groups; // of a band
    const int64_t least = threads == 1 ? 1 : (kUnitsOfThread * threads + units - 1) / units;
    const int64_t count = std::min(std::max((out_height + most - 1) / most, least), out_height);
    std::vector<Band> bands;
    for (int64_t i = 0; i < count; ++i)
        bands.emplace_back(shape, out_height * i / count, out_height * (i + 1) / count);
    return bands;
}

/// Both convolutions of one plan.
class ExpandedDepthwise {
public:
    ExpandedDepthwise(const Depthwise::Shape &shape, const DepthwiseWeight &weight,
                      Expansion expansion, bool adds_up, int64_t threads);

    int64_t scratch_floats(int64_t threads) const {
        return threads * own_floats_ + partial_floats();
    }
    /// `sums`: [N, C], null where nobody wants them.
    void run(const Image<const float> &x, const Image<float> &y, const Epilogue &epilogue,
             float *scratch, float *sums) const;

private:
    struct Call {
        Image<const float> x;
        Image<float> y;
        Epilogue epilogue;
        float *partials; ///< [N, bands, C]
        float *scratch;
    };
    int64_t partial_floats() const {
        return adds_up_ ? shape_.batch * int64_t(bands_.size()) * shape_.channels : 0;
    }
    void run_unit(const Call &call, int64_t unit, float *own) const;
    void run_slice(const Call &call, int64_t n, int64_t band, int64_t slice, const float *plane,
                   float *scratch) const;

    Depthwise::Shape shape_;
    Expansion expansion_;
    bool adds_up_;
    /// Slices that are expanded at a time, each to a plane; more would leave few rows to a band.
    int64_t together_ = panels_of_two_vectors();
    int64_t groups_; ///< of slices that are expanded together
    std::vector<Band> bands_;
    std::vector<Depthwise> kernels_; ///< [bands][slices]
    int64_t expanded_floats_ = 0;    ///< of the tallest band, all planes together
    int64_t own_floats_ = 0;         ///< of a thread
};

ExpandedDepthwise::ExpandedDepthwise(const Depthwise::Shape &shape, const DepthwiseWeight &weight,
                                     Expansion expansion, bool adds_up, int64_t threads)
    : shape_(shape),
      expansion_(std::move(expansion)),
      adds_up_(adds_up),
      groups_((shape.channels / kSlice + together_ - 1) / together_) {
    const int64_t taps = shape.kernel[0] * shape.kernel[1];
    bands_ = cut_into_bands(shape, together_, groups_, threads);
    for (const Band &band : bands_) {
        Depthwise::Shape part = shape;
        part.batch = 1;
        part.height = band.end - band.begin;
        part.channels = kSlice;
        part.padding = band.padding;
        expanded_floats_ =
            std::max(expanded_floats_, together_ * part.height * part.width * kSlice);
        for (int64_t c = 0; c < shape.channels; c += kSlice) {
            const SharedFloats values(weight.values, weight.values.get() + c * taps);
            kernels_.emplace_back(part, DepthwiseWeight{kSlice, weight.kernel, values});
            own_floats_ =
                std::max(own_floats_, expanded_floats_ + kernels_.back().scratch_floats(adds_up));
        }
    }
}

void ExpandedDepthwise::run_unit(const Call &call, int64_t unit, float *own) const {
    const auto bands = int64_t(bands_.size());
    const int64_t band_number = unit / groups_ % bands;
    const int64_t n = unit / groups_ / bands;
    const int64_t begin = unit % groups_ * together_;
    const int64_t end = std::min(begin + together_, shape_.channels / kSlice);
    const Band &band = bands_[size_t(band_number)];
    const int64_t pixels = (band.end - band.begin) * shape_.width;

    const PackedGemm &gemm = *expansion_.gemm;
    Product product{call.x.at(n, band.begin, 0),
                    call.x.pixel,
                    pixels,
                    own,
                    kSlice,
                    gemm.packed() + begin * kSlice * gemm.in(),
                    (end - begin) * kSlice,
                    gemm.in(),
                    {.activation = expansion_.activation}};
    if (expansion_.bias.has_data())
        product.epilogue.bias = values_of(expansion_.bias) + begin * kSlice;
    product.y_panel = pixels * kSlice;
    multiply(product);
    for (int64_t slice = begin; slice < end; ++slice)
        run_slice(call, n, band_number, slice, own + (slice - begin) * product.y_panel,
                  own + expanded_floats_);
}

void ExpandedDepthwise::run_slice(const Call &call, int64_t n, int64_t band_number, int64_t slice,
                                  const float *plane, float *scratch) const {
    const auto bands = int64_t(bands_.size());
    const int64_t slices = shape_.channels / kSlice;
    const Band &band = bands_[size_t(band_number)];
    const int64_t first = slice * kSlice;
    const Image<float> &y = call.y;
    const int64_t pixel = (n * y.height + band.out_begin) * y.width;
    float *partial =
        adds_up_ ? call.partials + (n * bands + band_number) * shape_.channels + first : nullptr;
    kernels_[size_t(band_number * slices + slice)].run(
        {plane, 1, band.end - band.begin, shape_.width, kSlice, kSlice},
        {y.data + pixel * y.pixel + first, 1, band.out_end - band.out_begin, y.width, kSlice,
         y.pixel},
        call.epilogue.of(pixel, first), scratch, partial);
}

void ExpandedDepthwise::run(const Image<const float> &x, const Image<float> &y,
                            const Epilogue &epilogue, float *scratch, float *sums) const {
    const Call call{x, y, epilogue, scratch, scratch + partial_floats()};
    parallel(shape_.batch * int64_t(bands_.size()) * groups_, [&](int64_t begin, int64_t end) {
        float *own = call.scratch + team_member() * own_floats_;
        const TeamScope alone(1); // in the kernels
        for (int64_t unit = begin; unit < end; ++unit)
            run_unit(call, unit, own);
    });
    if (adds_up_)
        add_partials(shape_.batch, int64_t(bands_.size()), shape_.channels, call.partials, sums);
}

bool is_inside(const op::Conv2d &conv, const Shape &kernel) {
    for (size_t side = 0; side < 2; ++side) {
        const int64_t extent = conv.dilation[side] * (kernel[side + 2] - 1) + 1;
        if (conv.padding[side] >= extent || conv.padding[side + 2] >= extent)
            return false;
    }
    return true;
}

} // namespace

bool is_expansion(const Planner &planner, ValueId id, const Layer &layer) {
    const Graph &graph = planner.graph();
    const Shape &shape = graph.type(id).shape;
    const std::vector<ValueId> &users = planner.users(id);
    if (!is_pixel_wise(graph, id) || layer.residual || users.size() != 1 || users[0] < 0 ||
        !is_depthwise(graph, users[0]) || planner.scaled(layer.node.inputs[0]))
        return false;
    const Node &user = graph.node(users[0]);
    const auto &conv = std::get<op::Conv2d>(user.op);
    return user.inputs[0] == id && has_constants(layer_of(planner, users[0])) &&
           is_inside(conv, graph.type(user.inputs[1]).shape) && shape[1] % kSlice == 0 &&
           shape[1] * shape[2] * shape[3] >= kLeastFloats;
}

void expand_later(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer) {
    planner.set_expansion(id, {planner.as_image(layer.node.inputs[0]), packed_gemm(planner, layer),
                               layer.bias != nullptr ? layer.bias->contiguous() : HostTensor(),
                               conv.activation, flops(planner.graph(), id)});
}

void expanded_depthwise(Planner &planner, ValueId id, const op::Conv2d &conv, const Layer &layer,
                        const Expansion &expansion) {
    const ImageOutput output = image_output(planner, id, conv, layer);
    const PlacedImage x(expansion.x);
    const Shape &shape = planner.graph().type(layer.node.inputs[0]).shape;
    const Shape &w = layer.weight->shape();
    const View sums = plan_sums(planner, id);
    const bool adds_up = numel(sums.shape) > 0;
    const ExpandedDepthwise kernel({shape[0],
                                    shape[2],
                                    shape[3],
                                    shape[1],
                                    {w[2], w[3]},
                                    conv.stride,
                                    conv.dilation,
                                    conv.padding},
                                   depthwise_weight(planner, layer), expansion, adds_up,
                                   planner.threads());
    const View scratch = planner.scratch(kernel.scratch_floats(planner.threads()));
    std::vector<View> reads = output.reads();
    reads.push_back(x.view());
    planner.add({.node = id,
                 .kernel = "expansion and depthwise",
                 .reason = "the expanded image would not stay in the caches",
                 .reads = std::move(reads),
                 .writes = {output.y.view(), sums, scratch},
                 .run =
                     [=](const Memory &memory) {
                         kernel.run(x.in<const float>(memory), output.y.in<float>(memory),
                                    output.epilogue(memory), memory.at(scratch),
                                    adds_up ? memory.at(sums) : nullptr);
                     },
                 .operations = expansion.operations},
                expansion.operations);
}

} // namespace tvw::cpu
