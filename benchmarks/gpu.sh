#!/bin/sh
# Tables of what the kinds of guidance cost on a CUDA machine, in at most 6 minutes:
#
#     sh benchmarks/gpu.sh > gpu.md
#
# It needs what `pip install -e .` installs, a torch with CUDA, 24 GB of GPU memory at best, and no weights from
# anywhere: those of Stable Audio Open and CLAP are random, at their published sizes.
set -e
cd "$(dirname "$0")/.."
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || true
exec timeout 360 python benchmarks/gpu.py \
    --model full --device cuda --dtype float16 --compiled --minutes 5 "$@"
