// SPDX-License-Identifier: LGPL-2.1-or-later
// The properties of tvwclassify as GObject knows them.
#pragma once

#include "classify_state.h"

#include <glib-object.h>

namespace tvw::gst {

/// Declares them; their defaults are those of a new Properties.
void install_properties(GObjectClass *object_class);

/// Takes the value of the property with that number.
void store_property(Properties &properties, guint id, const GValue *value);
/// Gives it.
void fetch_property(const Properties &properties, guint id, GValue *value);

} // namespace tvw::gst
