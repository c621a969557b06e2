# SPDX-License-Identifier: LGPL-2.1-or-later
"""Results as docs/results.md shows them to people who write Python."""

import re

from conftest import Frames


def test_metadata_is_read_from_python(gst):
    with Frames(gst) as frames:
        for buffer in frames:
            structure = buffer.get_custom_meta("TvwClassificationMeta").get_structure()
            assert structure.get_string("weights") == "model"
            assert re.fullmatch("[0-9a-f]{64}", structure.get_string("digest"))
            assert structure.get_uint64("pts") == (True, buffer.pts)
            assert structure.get_uint("age") == (True, 0)
            assert not structure.has_field("region")
            assert len(structure.get_string("label")) > 0
            assert 0.1 < structure.get_value("probability") <= 1


def test_messages_are_read_from_python(gst):
    with Frames(gst) as frames:
        times = [buffer.pts for buffer in frames]
        structures = [message.get_structure() for message in frames.messages(gst.MessageType.ELEMENT)]
    assert [structure.get_name() for structure in structures] == ["tvw-classification"] * len(times)
    assert [structure.get_value("pts") for structure in structures] == times


def test_the_element_is_there_and_says_where_it_belongs(gst):
    factory = gst.ElementFactory.find("tvwclassify")
    assert factory.get_metadata("klass") == "Filter/Analyzer/Video"
    assert factory.get_rank() == gst.Rank.NONE
