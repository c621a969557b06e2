// SPDX-License-Identifier: LGPL-2.1-or-later
#include "transforms/grid_plan.h"

#include "transforms/source.h"

#include <algorithm>

namespace tvw {

GridPlan::GridPlan(const Transforms &preset) : recipe_(make_recipe(preset)) {}

GridPlan::Axis GridPlan::add_table(const ResampleTable &table) {
    const Axis axis = {windows_.size(),           weights_.size(),  table.taps,
                       int(table.windows.size()), int(table.begin), int(table.end - table.begin)};
    windows_.insert(windows_.end(), table.windows.begin(), table.windows.end());
    weights_.insert(weights_.end(), table.weights.begin(), table.weights.end());
    return axis;
}

void GridPlan::add_tables(Size src) {
    const PicturePlacement placement = place(recipe_, src);
    const auto [x, y] = resize_tables(recipe_, src, placement);
    tables_.push_back({src, placement, add_table(x), add_table(y)});
}

std::optional<size_t> GridPlan::find(Size src) const {
    const auto found = std::find_if(tables_.begin(), tables_.end(),
                                    [&](const Tables &tables) { return tables.src == src; });
    if (found == tables_.end())
        return std::nullopt;
    return size_t(found - tables_.begin());
}

/// Of every item. If one is missing, all are made anew: what is kept is a batch's tables.
void GridPlan::find_tables() {
    const auto size = [](const Item &item) { return Size{item.area.height, item.area.width}; };
    const auto is_known = [&](const Item &item) { return find(size(item)).has_value(); };
    if (!std::all_of(items_.begin(), items_.end(), is_known)) {
        tables_.clear();
        windows_.clear();
        weights_.clear();
        ++version_;
        for (const Item &item : items_) {
            if (!is_known(item))
                add_tables(size(item));
        }
    }
    for (Item &item : items_)
        item.tables = *find(size(item));
}

/// Sizes and extents of the batch.
void GridPlan::measure() {
    row_floats_ = 0;
    columns_ = 0;
    rows_ = 0;
    for (const Item &item : items_) {
        const Tables &tables = tables_[item.tables];
        row_floats_ += kChannels * size_t(tables.x.outputs) * size_t(tables.y.samples);
        columns_ = std::max(columns_, tables.x.outputs);
        rows_ = std::max(rows_, tables.y.samples);
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

std::span<grid::Job> GridPlan::jobs(const ResampleWindow *windows, const float *weights,
                                    float *rows) {
    const auto axis = [&](const Axis &from, int first) {
        return grid::Axis{windows + from.windows, weights + from.weights, from.taps,
                          from.outputs,           first + from.begin,     from.samples};
    };
    jobs_.clear();
    for (const Item &item : items_) {
        const Tables &tables = tables_[item.tables];
        jobs_.push_back({item.source, axis(tables.x, item.area.x), axis(tables.y, item.area.y),
                         rows, int(tables.placement.x.before), int(tables.placement.y.before)});
        rows += kChannels * size_t(tables.x.outputs) * size_t(tables.y.samples);
    }
    return jobs_;
}

} // namespace tvw
