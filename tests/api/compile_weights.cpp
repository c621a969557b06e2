// SPDX-License-Identifier: LGPL-2.1-or-later
// Compiles where WEIGHTS is an enum that BUILDER takes and must not for any other.
#include <tvw/models.h>

tvw::Model build() {
    return tvw::BUILDER({.weights = tvw::WEIGHTS::DEFAULT});
}
