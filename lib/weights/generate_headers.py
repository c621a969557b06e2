#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the names of the registry as C++: generate_headers.py ENUMS_H MODELS_H FILE...

FILE are those of data/weights. ENUMS_H declares a class for each enum, MODELS_H a function for
each builder, in a namespace for each module but classification, as in torchvision.
"""

import json
import sys

ENUMS_BEGIN = """\
// SPDX-License-Identifier: LGPL-2.1-or-later
// Made from data/weights: the checkpoints by name.
#pragma once

#include <tvw/typed_weights.h>

#include <array>
#include <string_view>

namespace tvw {
"""

ENUM = """
/// Checkpoints of {builder}.
class {enum} : public TypedWeights<{enum}> {{
public:
    static constexpr std::string_view kBuilder = "{builder}";
{unquantized}{declarations}
    /// In order of definition, without DEFAULT.
    static constexpr std::array<{enum}, {count}> members();

private:
    using TypedWeights::TypedWeights;
}};
{definitions}
constexpr std::array<{enum}, {count}> {enum}::members() {{
    return {{{members}}};
}}
"""

MODELS_BEGIN = """\
// SPDX-License-Identifier: LGPL-2.1-or-later
// Made from data/weights: torchvision's builders as functions. "{}" is their random initialisation.
#pragma once

#include <tvw/model.h>
#include <tvw/weights_enums.h>
"""

BUILDER = """
/// Builds {builder}; errors as ModelBuilder's call.
inline Model {function}(const BuilderOptions<{enum}> &options = {{}}) {{
    return get_model("{builder}", {{options.weights, options.progress, options.arguments}});
}}
"""

# Modules whose builders live in torchvision.models itself, and an addition of this project.
TOP_MODULES = ("classification", "extra")


def enum_text(name, enum):
    members = [member["member"] for member in enum["members"]]
    metas = [member.get("meta", {}) for member in enum["members"]]
    unquantized = {meta["unquantized"].split(".")[0] for meta in metas if "unquantized" in meta}
    values = [(member, f'{{"{name}.{member}"}}') for member in members]
    if members:
        values.append(("DEFAULT", f" = {name}::{enum['DEFAULT']}"))
    return ENUM.format(
        enum=name,
        builder=enum["builder"],
        unquantized="".join(f"    using Unquantized = {before};\n" for before in unquantized),
        count=len(members),
        declarations="\n".join(f"    static const {name} {value};" for value, _ in values),
        definitions="\n".join(
            f"inline constexpr {name} {name}::{value}{initial};" for value, initial in values
        ),
        members=", ".join(members),
    )


def builder_text(module, name, enum):
    builder = enum["builder"]
    function = builder.removeprefix("quantized_") if module == "quantization" else builder
    return BUILDER.format(function=function, enum=name, builder=builder)


def main(enums_path, models_path, *files):
    enums = {}  # by module
    for file in sorted(files):
        with open(file, encoding="utf-8") as stream:
            content = json.load(stream)
        enums.setdefault(content["module"], {}).update(content["enums"])
    with open(enums_path, "w", encoding="utf-8") as out:
        out.write(ENUMS_BEGIN)
        for module in enums.values():
            for name, enum in module.items():
                out.write(enum_text(name, enum))
        out.write("\n} // namespace tvw\n")
    with open(models_path, "w", encoding="utf-8") as out:
        out.write(MODELS_BEGIN)
        for module, builders in enums.items():
            scope = "tvw" if module in TOP_MODULES else f"tvw::{module}"
            out.write(f"\nnamespace {scope} {{\n")
            for name, enum in builders.items():
                out.write(builder_text(module, name, enum))
            out.write(f"\n}} // namespace {scope}\n")


main(*sys.argv[1:])
