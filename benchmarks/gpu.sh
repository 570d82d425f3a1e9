#!/bin/sh
# Tables of what the kinds of guidance cost on a CUDA machine, in at most 8 minutes:
#
#     sh benchmarks/gpu.sh > gpu.md
#
# All rows come first. The profiler takes much longer than what it watches, so it gets a few rows and what time is
# left.
#
# It needs what `pip install -e .` installs, a torch with CUDA, 24 GB of GPU memory at best, and no weights from
# anywhere: those of Stable Audio Open and CLAP are random, at their published sizes.
set -e
cd "$(dirname "$0")/.."
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true
full() {
    limit=$1
    shift
    timeout "$limit" python benchmarks/gpu.py --model full --device cuda --dtype float16 "$@"
}
out_of_time=124
full 390 --compiled --minutes 6.2 "$@" || [ $? -eq $out_of_time ]
full 90 --profile --durations 10 --batches 1 --repeats 1 --steps 8 --minutes 1.2 \
    --rows plain "AMG, shut" "AMG, open" || [ $? -eq $out_of_time ]
