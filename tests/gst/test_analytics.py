# SPDX-License-Identifier: LGPL-2.1-or-later
"""The best class as GStreamer's own analytics metadata, read as other projects' elements do."""

import json
import re

import pytest

from conftest import MODEL, Frames


@pytest.fixture(scope="module")
def analytics(gst):
    if gst.version()[:2] < (1, 24):
        pytest.skip(f"{gst.version_string()} has no GstAnalytics; 1.24 is the first")
    import gi

    gi.require_version("GstAnalytics", "1.0")
    from gi.repository import GstAnalytics

    return GstAnalytics


def classes_on(analytics, buffer):
    """(label, confidence) of every classification on a buffer, each with its number of classes."""
    from gi.repository import GLib

    relations = analytics.buffer_get_analytics_relation_meta(buffer)
    found = []
    for index in range(analytics.relation_get_length(relations)):
        there, entry = relations.get_cls_mtd(index)
        if there:
            label = GLib.quark_to_string(entry.get_quark(0))
            found.append((entry.get_length(), label, entry.get_level(0)))
    return found


def test_the_best_class_alone_is_there(gst, analytics):
    with Frames(gst) as frames:
        for buffer in frames:
            structure = buffer.get_custom_meta("TvwClassificationMeta").get_structure()
            [(classes, label, confidence)] = classes_on(analytics, buffer)
            assert classes == 1
            assert label == structure.get_string("label")
            assert confidence == pytest.approx(structure.get_value("probability"), rel=1e-6)


def test_elements_behind_keep_it(gst, analytics):
    with Frames(gst, behind="queue ! videoconvert ! video/x-raw, format=NV12") as frames:
        assert [len(classes_on(analytics, buffer)) for buffer in frames] == [1] * frames.COUNT


def test_a_class_without_a_name_is_numbered(gst, analytics, tmp_path):
    descriptor = json.loads(MODEL.read_text())
    del descriptor["categories"]
    descriptor["checkpoint"] = str(MODEL.with_suffix(".safetensors"))
    nameless = tmp_path / "nameless.json"
    nameless.write_text(json.dumps(descriptor))
    with Frames(gst, properties=f"weights={nameless}") as frames:
        for buffer in frames:
            [(_, label, _)] = classes_on(analytics, buffer)
            assert re.fullmatch("class [0-9]", label)


def test_no_class_is_there_where_none_reaches_the_threshold(gst, analytics):
    with Frames(gst, properties="threshold=1") as frames:
        for buffer in frames:
            assert analytics.buffer_get_analytics_relation_meta(buffer) is None
