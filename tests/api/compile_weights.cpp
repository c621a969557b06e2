// SPDX-License-Identifier: LGPL-2.1-or-later
// Compiles where WEIGHTS is the enum of resnet50 and must not for any other.
#include <tvw/models.h>

tvw::Model build() {
    return tvw::resnet50({.weights = tvw::WEIGHTS::DEFAULT});
}
