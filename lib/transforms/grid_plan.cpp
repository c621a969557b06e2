// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/grid_plan.h"

#include "transforms/source.h"

#include <algorithm>

namespace tvw {

GridPlan::GridPlan(const Transforms &preset, PreprocessMode mode)
    : recipe_(make_recipe(preset)), mode_(mode) {}

GridPlan::Axis GridPlan::add_table(const ResampleTable &table) {
    const Axis axis = {windows_.size(),           weights_.size(),  table.taps,
                       int(table.windows.size()), int(table.begin), int(table.end - table.begin)};
    windows_.insert(windows_.end(), table.windows.begin(), table.windows.end());
    weights_.insert(weights_.end(), table.weights.begin(), table.weights.end());
    return axis;
}

void GridPlan::add_tables(const TableKey &key) {
    Tables tables{};
    tables.key = key;
    tables.placement = place(recipe_, key.src);
    const PlaneTables pixels = pixel_tables(recipe_, key, tables.placement);
    tables.pixels[0] = add_table(pixels.x);
    tables.pixels[1] = add_table(pixels.y);
    if (key.fast) {
        const PlaneTables chroma = chroma_tables(pixels, key);
        tables.chroma[0] = add_table(chroma.x);
        tables.chroma[1] = add_table(chroma.y);
    }
    tables_.push_back(tables);
}

std::optional<size_t> GridPlan::find(const TableKey &key) const {
    const auto found = std::find_if(tables_.begin(), tables_.end(),
                                    [&](const Tables &tables) { return tables.key == key; });
    if (found == tables_.end())
        return std::nullopt;
    return size_t(found - tables_.begin());
}

/// Of every item. If one is missing, all are made anew: what is kept is a batch's tables.
void GridPlan::find_tables() {
    std::vector<TableKey> keys;
    for (const Item &item : items_)
        keys.push_back(table_key(mode_, item.source, item.area));
    if (!std::all_of(keys.begin(), keys.end(), [&](const TableKey &key) { return find(key); })) {
        tables_.clear();
        windows_.clear();
        weights_.clear();
        ++version_;
        for (const TableKey &key : keys) {
            if (!find(key))
                add_tables(key);
        }
    }
    for (size_t i = 0; i < items_.size(); ++i)
        items_[i].tables = *find(keys[i]);
}

/// Sizes and extents of the batch.
void GridPlan::measure() {
    row_floats_ = 0;
    columns_ = 0;
    rows_ = 0;
    for (const Item &item : items_) {
        const Tables &tables = tables_[item.tables];
        const auto &[x, y] = tables.pixels;
        const Axis &chroma = tables.chroma[1];
        const size_t channels = tables.key.fast ? 1 : kChannels;
        row_floats_ += size_t(x.outputs) * (channels * size_t(y.samples) + //
                                            2 * size_t(chroma.samples));
        columns_ = std::max(columns_, x.outputs);
        rows_ = std::max(rows_, y.samples + chroma.samples);
    }
}

void GridPlan::plan(std::span<const FrameInput> inputs) {
    output_ = batch_output(recipe_, inputs);
    items_.clear();
    for (const FrameInput &input : inputs)
        items_.push_back({make_source(input.frame), area_of(input.frame, input.region), 0});
    find_tables();
    measure();
}

grid::Job GridPlan::make_job(const Item &item) const {
    const Tables &tables = tables_[item.tables];
    grid::Job job{};
    job.source = item.source;
    job.fast = tables.key.fast;
    job.left = int(tables.placement.x.before);
    job.top = int(tables.placement.y.before);
    if (job.fast)
        job.matrix = pixel::matrix_of(item.source.yuv);
    return job;
}

std::span<grid::Job> GridPlan::jobs(const ResampleWindow *windows, const float *weights,
                                    float *rows) {
    const auto axis = [&](const Axis &from, int first) {
        return grid::Axis{windows + from.windows, weights + from.weights, from.taps,
                          from.outputs,           first + from.begin,     from.samples};
    };
    const auto plane = [&](const Axis(&from)[2], int x, int y, size_t channels) {
        const grid::Plane result = {axis(from[0], x), axis(from[1], y), rows};
        rows += channels * size_t(from[1].samples) * size_t(from[0].outputs);
        return result;
    };
    jobs_.clear();
    for (const Item &item : items_) {
        const Tables &tables = tables_[item.tables];
        grid::Job job = make_job(item);
        job.pixels =
            plane(tables.pixels, item.area.x, item.area.y, job.fast ? 1 : size_t(kChannels));
        if (job.fast)
            job.chroma = plane(tables.chroma, 0, 0, 2);
        jobs_.push_back(job);
    }
    return jobs_;
}

} // namespace tvw
